"""Owns what becomes of addresses when an owner says that a sign-in was not theirs: what was added since goes.

Each proven address lets its reader choose a new password. One that an intruder has added would let him in again.
"""

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import Status
from ostiary.core.accounts.emails import emails
from ostiary.core.accounts.emails.emails import Email, emails_of
from ostiary.core.change import Change
from ostiary.core.signin.disowned import Disowned
from ostiary.kernel.events import Event

_WHY_DISABLED = "a sign-in was disowned, and every address of before was removed since"


async def drop_added(change: Change, event: Event) -> None:
    """Reaction to `sign_in_disowned`, in the same transaction, with the account's row locked.

    The address whose reader said so stays, and is the primary one if that would go. Where none of before is left, there
    is no telling who has moved, the owner or the intruder: the account is disabled, and an operator decides.
    """
    account_id, told = event.account_id or "", event.carried
    proven = [one for one in await emails_of(change, account_id) if one.is_verified]
    added = [one for one in proven if _is_since(one, told)]
    kept = [one for one in proven if one not in added]
    if not added:
        return
    if not kept:
        await accounts.set_status(change, account_id, Status.DISABLED, _WHY_DISABLED)
        return
    primary = next((one for one in added if one.is_primary), None)
    if primary is not None:
        said = (one for one in kept if one.address.normal == told.said_at.normal)
        await emails.make_primary(change, account_id, next(said, kept[0]), primary)
    for one in added:
        await emails.remove(change, account_id, one)


def _is_since(one: Email, told: Disowned) -> bool:
    if one.verified_at is None or one.address.normal == told.said_at.normal:
        return False
    return one.verified_at >= told.since
