"""Owns of whom a second factor is required, and until when they may go without (C8).

The grace is counted for each account from its first sign-in at which a factor was required, so that switching the
requirement on shuts nobody out at once. The row stays: removing, resetting or a new password never starts it again.
"""

from datetime import datetime
from typing import Final

from ostiary.core.access.authority import Authority
from ostiary.core.change import Change
from ostiary.core.signin import store
from ostiary.core.signin.settings import SigninSettings
from ostiary.core.signin.steps import TWO_FACTORS
from ostiary.kernel.events import EventType
from ostiary.kernel.world import from_micros
from ostiary.storage.database import Reads

REQUIRED: Final = EventType(
    "factor_required",
    "Somebody signed in of whom a second factor is required now; `needed_from` is when the grace ends.",
    fields=("needed_from",),
    words="Your account needs a second step from now on.",
)
EVENTS: Final = (REQUIRED,)


class Requirement:
    """What the deployment demands of whom.

    Args:
        settings: Say it.
        authority: Says who holds which role.
    """

    def __init__(self, settings: SigninSettings, authority: Authority) -> None:
        self._authority = authority
        self._of = settings.require_factor
        self._roles: Final = frozenset(settings.require_factor_roles)
        self._grace: Final = settings.factor_grace

    @property
    def is_on(self) -> bool:
        """Whether it concerns anybody."""
        return self._of != "off"

    async def concerns(self, reads: Reads, account_id: str) -> bool:
        """Whether a second factor is required of this account."""
        if self._of != "roles":
            return self._of == "everybody"
        return (await self._authority.standing_of(reads, account_id)).is_any_of(*self._roles)

    async def needed_from(self, reads: Reads, account_id: str) -> datetime | None:
        """From when on this account may not be without a factor; None when it may, or was never told."""
        if not await self.concerns(reads, account_id):
            return None
        since = await reads.one(store.SINCE, of_account=account_id)
        return None if since is None else from_micros(since) + self._grace

    async def begin(self, change: Change, account_id: str) -> datetime | None:
        """The same at a sign-in, in its change: the first one begins the grace."""
        if not await self.concerns(change, account_id):
            return None
        since = await change.one(store.SINCE, of_account=account_id)
        if since is not None:
            return from_micros(since) + self._grace
        needed_from = change.now + self._grace
        await change.run(store.NOTE, account_id=account_id, since=change.micros)
        await change.emit(REQUIRED(account_id, needed_from=needed_from.isoformat(timespec="seconds")))
        return needed_from

    async def holds_back(self, change: Change, account_id: str, acr: str) -> bool:
        """Whether a session that showed this may not be prolonged any more; the first question begins the grace, too.

        Whoever keeps refreshing would otherwise never meet what was required after the sign-in.
        """
        if not self.is_on or acr == TWO_FACTORS:
            return False
        needed_from = await self.begin(change, account_id)
        return needed_from is not None and change.now >= needed_from
