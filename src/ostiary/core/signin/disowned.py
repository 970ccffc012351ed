"""Owns what follows when an owner says that a sign-in was not theirs: all that was proven counts for nothing any more.

Sessions and tokens end, half-done sign-ins end, and the password, which somebody else knows, works no more until it
is reset. What can be set up with a session (addresses, passkeys) lets nobody in alone from then on, if it may be an
intruder's; the ribs see to theirs in reaction to the event.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ostiary.core.accounts import store
from ostiary.core.accounts.accounts import Account
from ostiary.core.accounts.address import Address
from ostiary.core.change import Change
from ostiary.kernel.events import EventType, Severity

DISOWNED: Final = EventType(
    "sign_in_disowned",
    "The owner of an account said that a sign-in was not theirs: every session ended, and the password works no more "
    "until it is reset.",
    Severity.CRITICAL,
    ("session_id",),
    ends_sessions=True,
    tell_owner=True,
    at_every_address=True,
    words="You said that a sign-in was not you.",
)
EVENTS: Final = (DISOWNED,)


@dataclass(frozen=True, slots=True)
class Disowned:
    """Carried by `sign_in_disowned`.

    Attributes:
        said_at: The address whose reader says so; a reset is for them.
        since: When the sign-in was; what was added from then on may be an intruder's.
    """

    said_at: Address
    since: datetime


async def disown(change: Change, account: Account, session_id: str, told: Disowned) -> None:
    """Shut an account that this change has locked for everybody but whoever reads its mail.

    Args:
        session_id: What the sign-in led to.
        told: For whoever reacts.
    """
    await change.run(store.RAISE_EPOCH, of_account=account.id, now=change.micros)
    await change.emit(DISOWNED(account.id, session_id=session_id).carrying(told))
