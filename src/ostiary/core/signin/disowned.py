"""Owns what follows when an owner says that a sign-in was not theirs: all that was proven counts for nothing any more.

Sessions and tokens end, half-done sign-ins end, and the password, which somebody else knows, works no more until it
is reset. Whoever wrote the event carries the address that said so, for whom that reset is.
"""

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


async def disown(change: Change, account: Account, session_id: str, said_at: Address) -> None:
    """Shut an account that this change has locked for everybody but whoever reads its mail.

    Args:
        session_id: What the sign-in led to.
        said_at: The address whose reader says so.
    """
    await change.run(store.RAISE_EPOCH, of_account=account.id, now=change.micros)
    await change.emit(DISOWNED(account.id, session_id=session_id).carrying(said_at))
