"""Owns `Ostiary`, the object that a host application makes once, whatever its framework."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

from ostiary.core.accounts import accounts, profile
from ostiary.core.accounts.profile import Profile, ProfileField, Value
from ostiary.core.accounts.settings import AccountSettings
from ostiary.core.change import Change
from ostiary.core.tokens.access import Claims
from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import from_environment, groups_of, load
from ostiary.http.rib import Rib
from ostiary.kernel.errors import NOT_FOUND, Misuse, Refused
from ostiary.kernel.origin import Origin
from ostiary.kernel.world import World


class Ostiary:
    """ostiary inside another application.

    It belongs to one event loop, starts with the host (or with the first request that needs it) and ends with it.

    Args:
        engine: An engine that exists, such as a test's; otherwise one is made from the settings.
        ribs: The features; all unless told.
        token_claims: What your application adds to access tokens: an async function from what is granted to a
            dictionary of at most 2 KiB as JSON.
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
        **settings: Any,
    ) -> None:
        world = World()
        self.engine = engine or Engine(load(ribs, world, settings), ribs, world, token_claims=token_claims)

    @classmethod
    def from_env(
        cls, *, ribs: Sequence[Rib] = RIBS, token_claims: Claims | None = None, **settings: Any
    ) -> Self:
        """The same with settings from the environment (``OSTIARY_…``), overridden by those given here."""
        given: dict[str, Any] = from_environment(groups_of(ribs), os.environ)
        return cls(ribs=ribs, token_claims=token_claims, **(given | settings))

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
            account = await accounts.lock(change, account_id)
            if account is None:
                raise Refused(NOT_FOUND, "no such account")
            return await profile.save(change, self._fields, account, kept, by="application")

        await self.engine.start()
        async with self.engine.core.runner.flow(Origin()) as flow:
            return await flow.change(work)

    @property
    def _fields(self) -> tuple[ProfileField, ...]:
        return self.engine.settings.of(AccountSettings).profile_fields
