"""Owns `Authority`: asking whether somebody may do something, with what they hold at this moment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ostiary.core.access import access, store
from ostiary.core.access.book import Book
from ostiary.core.access.decide import Decision, Grant, Holder, Rules
from ostiary.core.access.permission import EVERYTHING, is_within
from ostiary.core.access.policy import Kind, Policy, PolicyBook
from ostiary.core.access.roles import Role
from ostiary.kernel.errors import Refused, code
from ostiary.kernel.principal import Principal
from ostiary.kernel.world import World
from ostiary.storage.database import Reads

PERMISSION_DENIED: Final = code(
    "permission_denied",
    403,
    "You may not do this.",
    "`permission` names the permission that is missing, or `roles` those of which one is needed.",
)


@dataclass(frozen=True, slots=True)
class Declared:
    """What a program says about access.

    Attributes:
        roles: They count beside, and before, those of the database.
        policies: Rules beyond roles.
        kinds: Where things keep what grants are scoped by.
    """

    roles: tuple[Role, ...] = ()
    policies: tuple[Policy, ...] = ()
    kinds: tuple[Kind, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """Somebody with what they hold, and the rules of this moment; asking it again asks no database.

    Attributes:
        holder: None for nobody.
    """

    rules: Rules
    holder: Holder | None
    world: World

    def decide(
        self, permission: str, on: object | None = None, context: Mapping[str, Any] | None = None
    ) -> Decision:
        """Whether they may, with the one reason that decided."""
        return self.rules.decide(self.holder, permission, on, context, now=self.world.now())

    def explain(
        self, permission: str, on: object | None = None, context: Mapping[str, Any] | None = None
    ) -> Decision:
        """The same with everything that speaks for or against."""
        return self.rules.explain(self.holder, permission, on, context, now=self.world.now())

    def check(
        self, permission: str, on: object | None = None, context: Mapping[str, Any] | None = None
    ) -> bool:
        """Whether they may.

        Args:
            permission: ``resource:action``.
            on: The thing; without one the question is about the permission in general.
            context: For policies that are functions.

        Raises:
            Misuse: `permission` is none.
        """
        return self.decide(permission, on, context).allowed

    def require(
        self, permission: str, on: object | None = None, context: Mapping[str, Any] | None = None
    ) -> None:
        """Refuse unless they may.

        Raises:
            Refused: `permission_denied`.
            Misuse: `permission` is none.
        """
        decision = self.decide(permission, on, context)
        if not decision.allowed:
            raise Refused(PERMISSION_DENIED, str(decision), details={"permission": permission}, counted=False)

    def has_role(self, *wanted: str) -> bool:
        """Whether they hold one of some roles everywhere, or one that inherits it.

        A credential that is narrower than its owner holds no role, whatever its owner holds.
        """
        held = self.roles if self._is_whole else ()
        return any(self.rules.roles.includes(one, asked) for one in held for asked in wanted)

    def is_any_of(self, *wanted: str) -> bool:
        """Whether they hold one of some roles, or one that inherits it, everywhere or for anything at all."""
        held = self.grants if self._is_whole else ()
        return any(self.rules.roles.includes(one.role, asked) for one in held for asked in wanted)

    def require_role(self, *wanted: str) -> None:
        """Refuse unless they hold one of them.

        Raises:
            Refused: `permission_denied`.
        """
        if not self.has_role(*wanted):
            raise Refused(PERMISSION_DENIED, "no such role", details={"roles": list(wanted)}, counted=False)

    def where(self, permission: str, table: Any) -> sa.ColumnElement[bool]:
        """The rows of a table on which they may, as a condition for your query.

        Raises:
            Misuse: a policy about this permission is a plain function, or the table lacks a column that one compares.
        """
        return self.rules.where(self.holder, permission, table, now=self.world.now())

    def beyond(self, patterns: Iterable[str]) -> tuple[str, ...]:
        """Those of some patterns that reach further than they ever may, by any role for anything or by any policy."""
        if not self._is_whole:
            return tuple(patterns)
        own = [granted for one in self.grants for granted in self.rules.roles.patterns(one.role)]
        own += self.rules.policies.allowing
        return tuple(asked for asked in patterns if not any(is_within(asked, granted) for granted in own))

    @property
    def _is_whole(self) -> bool:
        """Whether the credential reaches as far as its owner. A role says more than the permissions it grants."""
        ceiling = self.holder.ceiling if self.holder else ()
        return ceiling is None or EVERYTHING in ceiling

    @property
    def grants(self) -> tuple[Grant, ...]:
        """What they hold at this moment."""
        now = self.world.now()
        held = self.holder.grants if self.holder else ()
        return tuple(one for one in held if one.until is None or now < one.until)

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of the roles that they hold everywhere."""
        return tuple(one.role for one in self.grants if not one.scope)


class Authority:
    """Puts together what is declared and what is stored.

    Args:
        world: For the moments at which grants end.
        declared: The program's.
        default_role: Everybody's; "" for none.

    Raises:
        Misuse: what is declared does not fit together.
    """

    def __init__(self, world: World, declared: Declared, default_role: str) -> None:
        self._world = world
        self._policies = PolicyBook.of(declared.policies, declared.kinds)
        self._default: Final = (Grant(default_role),) if default_role else ()
        self.book: Final = Book(declared.roles)

    async def standing(self, reads: Reads, who: Principal | None) -> Standing:
        """What somebody may do now; one query.

        Args:
            who: None for nobody, who may do nothing.
        """
        if who is None:
            return Standing(Rules(await self.book.now(reads), self._policies), None, self._world)
        more: dict[str, Any] = {"amr": who.amr, "acr": who.acr, "session_id": who.session_id}
        if who.api_key_id is not None:
            more |= {"api_key_id": who.api_key_id}
        return await self._standing(reads, who.account_id, more, who.scopes)

    async def standing_of(self, reads: Reads, account_id: str) -> Standing:
        """The same of an account that is not asking, for operators and other programs."""
        return await self._standing(reads, account_id, {})

    async def _standing(
        self,
        reads: Reads,
        account_id: str,
        more: Mapping[str, Any],
        ceiling: tuple[str, ...] | None = None,
    ) -> Standing:
        rows = await reads.all(store.HELD, account_id=account_id)
        roles = await self.book.at(reads, rows[0].version)
        holder = Holder(account_id, (*self._default, *access.held(rows)), ceiling, more)
        return Standing(Rules(roles, self._policies), holder, self._world)
