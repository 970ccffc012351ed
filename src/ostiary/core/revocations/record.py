"""Owns writing down what is revoked, in the transaction of its reason, for as long as a token can live."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from ostiary.core.accounts import accounts
from ostiary.core.change import Change
from ostiary.core.keys.signing.rotation import SIGNING
from ostiary.core.revocations import store
from ostiary.core.tokens.settings import LONGEST_ACCESS
from ostiary.kernel.events import Event
from ostiary.kernel.world import span_micros
from ostiary.protocols.jose.jwt import LONGEST_LEEWAY
from ostiary.protocols.revocations import Kind, session_mark, subject_mark

# As long as any token can live, whatever `access_lifetime` was when it was made; and a verifier may take it for a while
# after its end, since clocks differ.
_KEPT: Final = span_micros(LONGEST_ACCESS + LONGEST_LEEWAY + timedelta(seconds=1))


class Revocations:
    """Writes entries as reactions to events.

    Args:
        written: Called once an entry of this process is durable.
    """

    def __init__(self, written: Callable[[], None]) -> None:
        self._written = written

    async def session_ended(self, change: Change, event: Event) -> None:
        """Reaction to `session_ended`: its access tokens are worth nothing any more."""
        await self._write(change, "session", session_mark(str(event.data["session_id"])))

    async def rights_changed(self, change: Change, event: Event) -> None:
        """Reaction to events with the trait `changes_rights`: tokens that name the rights of before are stale."""
        if event.account_id:
            version = await accounts.raise_authorization_version(change, event.account_id)
            await self._write(change, "subject", subject_mark(event.account_id), version)

    async def key_retired(self, change: Change, event: Event) -> None:
        """Reaction to `key_retired`: what a signing key signed is worth nothing any more."""
        if event.data["purpose"] == SIGNING:
            await self._write(change, "key", str(event.data["key_id"]))

    async def _write(self, change: Change, kind: Kind, mark: str, version: int | None = None) -> None:
        await change.run(
            store.ADD,
            id=change.world.id(),
            kind=kind,
            mark=mark,
            version=version,
            until=change.micros + _KEPT,
        )
        change.after_commit(self._written)
