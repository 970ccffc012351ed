"""Owns listing and forgetting one's own trusted devices, and what ends trust in all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ostiary.core.accounts import accounts
from ostiary.core.change import Change
from ostiary.core.device import Device, in_a_phrase
from ostiary.core.wiring import Core
from ostiary.features.trusted_devices import store
from ostiary.features.trusted_devices.keeping import TRUSTED, UNKNOWN, proven
from ostiary.kernel.errors import NOT_FOUND, Refused
from ostiary.kernel.events import Event, EventType
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal
from ostiary.kernel.world import from_micros

ENDED: Final = EventType(
    "device_trust_ended",
    "Devices are asked for the second step again; `why`: by_owner, or the event that ended their trust.",
    fields=("devices", "why"),
    words="You will be asked for the second step again on: {devices}.",
)
EVENTS: Final = (TRUSTED, ENDED)


@dataclass(frozen=True, slots=True)
class TrustedDevice:
    """A trusted device, as its owner sees it.

    Attributes:
        is_current: It is the one that asks.
        created_at: Since when it is trusted.
        last_used_at: When the second step was last spared; None: never.
    """

    id: str
    is_current: bool
    device: str
    browser: str
    ip: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


async def mine(core: Core, who: Principal, cookie: str | None) -> list[TrustedDevice]:
    """One's own trusted devices, the latest first.

    Args:
        cookie: What the browser that asks has of trust.
    """
    now = core.world.micros()
    here = await proven(core.database, who.account_id, cookie, now)
    return [
        TrustedDevice(
            row.id,
            here is not None and here.id == row.id,
            row.device,
            row.browser,
            row.ip,
            from_micros(row.created_at),
            from_micros(row.expires_at),
            None if row.last_used_at is None else from_micros(row.last_used_at),
        )
        for row in await core.database.all(store.COUNTING, of_account=who.account_id, now=now)
    ]


async def forget(core: Core, origin: Origin, who: Principal, device_id: str) -> None:
    """Have one of one's own devices asked for the second step again.

    Raises:
        Refused: `not_found`; there is no such device, or it is somebody else's.
    """

    async def work(change: Change) -> None:
        await accounts.lock_active(change, who.account_id)
        ended = await change.all(store.END, of_id=device_id, of_account=who.account_id)
        if not ended:
            raise Refused(NOT_FOUND, "no such device of this account")
        await _say(change, who.account_id, ended, "by_owner")

    async with core.runner.flow(origin) as flow:
        await flow.change(work)


async def forget_all(core: Core, origin: Origin, who: Principal) -> int:
    """Have all of one's own devices asked for the second step again.

    Returns:
        How many there were.
    """

    async def work(change: Change) -> int:
        await accounts.lock_active(change, who.account_id)
        return await _end_all(change, who.account_id, "by_owner")

    async with core.runner.flow(origin) as flow:
        return await flow.change(work)


async def react(change: Change, event: Event) -> None:
    """Reaction to events with the trait `ends_trust` or `ends_sessions` (S-B11), in the same transaction."""
    if event.account_id:
        await _end_all(change, event.account_id, event.type.name)


async def _end_all(change: Change, account_id: str, why: str) -> int:
    ended = await change.all(store.END_ALL, of_account=account_id)
    await _say(change, account_id, ended, why)
    return len(ended)


async def _say(change: Change, account_id: str, ended: Sequence[Device], why: str) -> None:
    if ended:
        devices = [in_a_phrase(one) or UNKNOWN for one in ended]
        await change.emit(ENDED(account_id, devices=devices, why=why))
