"""Owns `Ostiary`, the object that a host application makes once, whatever its framework."""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self, TypeVar

from starlette.types import Scope

from ostiary.core.access import access
from ostiary.core.access.authority import Declared, Standing
from ostiary.core.access.decide import EVERYWHERE
from ostiary.core.access.policy import Kind, Policy
from ostiary.core.access.roles import Role
from ostiary.core.accounts import accounts, profile
from ostiary.core.accounts.profile import Profile, ProfileField, Value
from ostiary.core.accounts.settings import AccountSettings
from ostiary.core.change import Change
from ostiary.core.tokens.access import Claims
from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import from_environment, groups_of, load
from ostiary.http.rib import Rib
from ostiary.integrations.demands import HostVisit
from ostiary.integrations.pages import Pages
from ostiary.kernel.errors import NOT_FOUND, Misuse, Refused
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal
from ostiary.kernel.world import World

T = TypeVar("T")


class Ostiary:
    """ostiary inside another application.

    It belongs to one event loop, starts with the host (or with the first request that needs it) and ends with it.

    Args:
        engine: An engine that exists, such as a test's; otherwise one is made from the settings.
        ribs: The features; all unless told.
        token_claims: What your application adds to access tokens: an async function from what is granted to a
            dictionary of at most 2 KiB as JSON.
        roles: What your application's roles grant; they count before those of the database.
        policies: Rules beyond roles, such as "authors edit their own notes".
        pages: Which refused requests are led to the sign-in page and back, instead of a 401: True for every navigation
            of a browser, a list of paths for those below them alone, False for none.
        kinds: Where your things keep their id and organization, for roles that are given for one of them.
        settings: Flat settings, see the settings reference: ``database="sqlite:///app.db"``, ``dev=True``.

    Raises:
        Misuse: the settings do not fit together; the message says what to set.
    """

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        ribs: Sequence[Rib] = RIBS,
        token_claims: Claims | None = None,
        roles: Sequence[Role] = (),
        policies: Sequence[Policy] = (),
        kinds: Sequence[Kind] = (),
        pages: bool | Sequence[str] = True,
        **settings: Any,
    ) -> None:
        self.pages = Pages(pages)
        world = World()
        declared = Declared(tuple(roles), tuple(policies), tuple(kinds))
        self.engine = engine or Engine(
            load(ribs, world, settings), ribs, world, token_claims=token_claims, declared=declared
        )

    @classmethod
    def from_env(cls, *, ribs: Sequence[Rib] = RIBS, **given: Any) -> Self:
        """The same with settings from the environment (``OSTIARY_…``), overridden by those given here."""
        found: dict[str, Any] = from_environment(groups_of(ribs), os.environ)
        return cls(ribs=ribs, **(found | given))

    def visit(self, scope: Scope, path: str) -> HostVisit:
        """A request to one of the host's own routes, for whoever joins another framework to ostiary.

        Args:
            scope: Of ASGI, or one like it.
            path: Below where the application is mounted.
        """
        visit = HostVisit(self.engine.app.edge, scope, path)
        visit.pages = self.pages
        return visit

    async def start(self) -> None:
        """Migrate or check the schema, connect, and begin to send mails. Safe to call twice."""
        await self.engine.start()

    async def stop(self) -> None:
        """Finish deliveries and give every connection back."""
        await self.engine.stop()

    async def profile(self, account_id: str) -> Profile | None:
        """An account's name and profile fields; None when there is no such account."""
        await self.engine.start()
        return await profile.find(self.engine.core.database, self._fields, account_id)

    async def set_profile(self, account_id: str, values: Mapping[str, Value | None]) -> Profile:
        """Change profile fields of an account in whatever state, those that are read-only for its owner, too.

        Args:
            account_id: Whose.
            values: By field; None empties one. What is not mentioned stays.

        Raises:
            Misuse: a field is not declared in `profile_fields`.
            Refused: `invalid_request`, a value does not fit; `not_found`, there is no such account.
        """
        if unknown := values.keys() - {field.name for field in self._fields}:
            raise Misuse(f"profile fields {sorted(unknown)} are not declared; add them to `profile_fields`")
        kept = profile.judge(self._fields, values, by_owner=False)

        async def work(change: Change) -> Profile:
            account = await self._known(change, account_id)
            return await profile.save(change, self._fields, account, kept, by="application")

        return await self._change(work)

    async def standing(self, who: Principal | None) -> Standing:
        """What somebody may do now: `check`, `require`, `explain` and `where` on it ask no database.

        Args:
            who: None for nobody, who may do nothing.
        """
        await self.engine.start()
        core = self.engine.core
        return await core.authority.standing(core.database, who)

    async def grant_role(
        self, account_id: str, role: str, *, by: str, scope: str = EVERYWHERE, until: datetime | None = None
    ) -> bool:
        """Give an account a role; it counts at the next request. False when it has it just like that already.

        Args:
            account_id: Whose.
            role: Its name.
            by: Who gives it, for the journal: an account's id, or a name for your program.
            scope: Where it counts: "" everywhere, ``organization:ID``, or ``RESOURCE:ID`` for one thing.
            until: When it ends.

        Raises:
            Misuse: there is no such role, the scope is none, or `until` has passed.
            Refused: `not_found`, there is no such account.
        """

        async def work(change: Change) -> bool:
            await self._known(change, account_id)
            if role not in (await self.engine.core.authority.book.now(change)).roles:
                raise Misuse(
                    f"there is no role {role!r}: give it to `Ostiary(roles=…)`, or define it in the database"
                )
            return await access.grant(change, account_id, role, by, scope, until)

        return await self._change(work)

    async def revoke_role(self, account_id: str, role: str, *, by: str, scope: str = EVERYWHERE) -> bool:
        """Take a role from an account, in one scope; False when it did not have it there.

        Args:
            account_id: Whose.
            role: Its name.
            by: Who takes it, for the journal.
            scope: Where.

        Raises:
            Refused: `not_found`, there is no such account.
        """

        async def work(change: Change) -> bool:
            await self._known(change, account_id)
            return await access.revoke(change, account_id, role, by, scope)

        return await self._change(work)

    async def _change(self, work: Callable[[Change], Awaitable[T]]) -> T:
        await self.engine.start()
        async with self.engine.core.runner.flow(Origin()) as flow:
            return await flow.change(work)

    @staticmethod
    async def _known(change: Change, account_id: str) -> accounts.Account:
        account = await accounts.lock(change, account_id)
        if account is None:
            raise Refused(NOT_FOUND, "no such account")
        return account

    @property
    def _fields(self) -> tuple[ProfileField, ...]:
        return self.engine.settings.of(AccountSettings).profile_fields
