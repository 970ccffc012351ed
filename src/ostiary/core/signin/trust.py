"""Owns what trust in a browser is worth at the door (C7): nobody is asked for a second factor there for some time.

Trust only ever spares the asking. The session that it lets in says what was shown: one factor. What guards the account
asks for the other one then, and whoever signs in again for that is asked for it, trusted or not.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from ostiary.core.accounts.accounts import Account
from ostiary.core.change import Change
from ostiary.core.signin.entry import Entry, Standing
from ostiary.core.signin.requirement import Requirement
from ostiary.core.signin.steps import TWO_FACTORS, Complete
from ostiary.core.tokens.settings import TOKENS
from ostiary.kernel.secret import Secret
from ostiary.storage.database import Reads


@dataclass(frozen=True, slots=True)
class Trusted:
    """A browser that is trusted from now on.

    Attributes:
        cookie: The value of its cookie, which is nowhere else.
        keep_for: How long browsers keep it.
    """

    cookie: Secret
    keep_for: timedelta


class TrustedDevices(Protocol):
    """Keeps which browsers are trusted; a rib's.

    Attributes:
        lifetime: How long trust lasts.
        where_required: Also for accounts of which a second factor is required.
    """

    lifetime: timedelta
    where_required: bool

    async def find(self, change: Change, account: Account, cookie: str) -> str | None:
        """The id of the device that the cookie proves to be trusted by this account, whose row is locked."""
        ...

    async def use(self, change: Change, account_id: str, device_id: str, session_id: str) -> None:
        """Note which session a device has let in."""
        ...

    async def add(self, change: Change, account: Account, cookie: str | None) -> Trusted:
        """Trust this browser from now on, in place of whatever it had of this account.

        Args:
            cookie: What it brought; other accounts' trust in it stays.
        """
        ...

    async def has_let_in(self, reads: Reads, account_id: str, session_id: str) -> bool:
        """Whether a device that is still trusted has let this session in, as its latest one."""
        ...


class Trust:
    """When trust is offered, counts, and is given.

    Args:
        devices: Where it is kept; None: nothing is trusted.
        requirement: Of whom a second factor is required.
    """

    def __init__(self, devices: TrustedDevices | None, requirement: Requirement) -> None:
        self._devices = devices
        self._requirement = requirement

    @property
    def lifetime(self) -> timedelta:
        """How long a browser is trusted; zero where none is."""
        return timedelta() if self._devices is None else self._devices.lifetime

    async def is_offered(self, reads: Reads, account_id: str) -> bool:
        """Whether this account may trust browsers."""
        return await self._open_to(reads, account_id) is not None

    async def _open_to(self, reads: Reads, account_id: str) -> TrustedDevices | None:
        devices = self._devices
        if devices is None or devices.where_required:
            return devices
        return None if await self._requirement.concerns(reads, account_id) else devices

    async def offer(self, reads: Reads, standing: Standing) -> timedelta | None:
        """How long a sign-in that waits for a factor may have its browser trusted; None: not at all."""
        if standing.attempt.delivery == TOKENS:
            return None
        devices = await self._open_to(reads, standing.attempt.account_id)
        return None if devices is None else devices.lifetime

    async def find(self, change: Change, entry: Entry, account: Account) -> str | None:
        """The id of the trusted device that stands at the door, in the change that has locked the account."""
        cookie = entry.trust_for(account.id)
        devices = await self._open_to(change, account.id) if cookie else None
        return await devices.find(change, account, cookie) if devices and cookie else None

    async def follow(
        self, change: Change, standing: Standing, account: Account, step: Complete, session_id: str
    ) -> Trusted | None:
        """What a complete sign-in does to trust: it used it, or earned it, or neither.

        Returns:
            For the browser, if it is trusted from now on.
        """
        if step.trusted_device is not None and self._devices is not None:
            await self._devices.use(change, account.id, step.trusted_device, session_id)
        if not standing.earns_trust or step.acr != TWO_FACTORS:
            return None
        devices = await self._open_to(change, account.id)
        return None if devices is None else await devices.add(change, account, standing.entry.trust)

    async def holds_back(self, change: Change, account_id: str, session_id: str, acr: str) -> bool:
        """Whether a session may not be prolonged any more, because too little was shown for it (`Requirement`).

        What a trusted device has let in goes on for as long as that is trusted.
        """
        if not await self._requirement.holds_back(change, account_id, acr):
            return False
        devices = await self._open_to(change, account_id)
        return devices is None or not await devices.has_let_in(change, account_id, session_id)
