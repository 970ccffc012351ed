"""Owns signing out, and unlocking; signing in is the door's."""

from typing import Final

from ostiary.core.accounts import accounts
from ostiary.core.change import Change
from ostiary.core.signin.door import LOCKOUT
from ostiary.core.throttle.limits import Hit
from ostiary.core.wiring import Core
from ostiary.kernel.errors import NOT_FOUND, Refused
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal

UNLOCKED: Final = EventType(
    "account_unlocked",
    "An operator ended a lock and enabled the password.",
    Severity.NOTICE,
    words="Your account was unlocked.",
)
EVENTS: Final = (UNLOCKED,)
# Of what is typed, on the page as in the API.
LONGEST_IDENTIFIER: Final = 320
LONGEST_CODE: Final = 64


async def sign_out(core: Core, origin: Origin, who: Principal, *, everywhere: bool) -> None:
    """End the session, or every session of its account."""

    async def work(change: Change) -> None:
        if everywhere:
            await core.sessions.end_all(change, who.account_id, "signed_out_everywhere")
        elif who.session_id:
            await core.sessions.end(change, who.account_id, who.session_id, "signed_out")

    async with core.runner.flow(origin) as flow:
        await flow.change(work)


async def unlock(core: Core, email: str) -> str:
    """Forget an account's failed sign-ins, and enable its password if they disabled it. For operators.

    Returns:
        The account's id.

    Raises:
        Refused: `not_found`; nobody has this address.
    """

    async def work(change: Change) -> str:
        found = await accounts.find(change, email)
        if found is None:
            raise Refused(NOT_FOUND, "nobody has this address")
        await core.throttle.clear(change.tx, Hit(LOCKOUT, accounts.canonical_subject(found, email, None)))
        await accounts.enable_password(change, found.account_id)
        await change.emit(UNLOCKED(found.account_id))
        return found.account_id

    async with core.runner.flow(Origin()) as flow:
        return await flow.change(work)
