"""Owns the deletion of an account: asking for it, undoing it by signing in, and doing it when the grace is over."""

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import Account, recipients
from ostiary.core.accounts.claims import claims
from ostiary.core.change import Change
from ostiary.core.device import describe_device
from ostiary.core.wiring import Core
from ostiary.features.deletion import store
from ostiary.features.deletion.settings import DeletionSettings
from ostiary.features.deletion.store import Gone
from ostiary.kernel.errors import NOT_FOUND, Refused, Unavailable
from ostiary.kernel.events import Event, EventType, Severity
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal
from ostiary.kernel.world import span_micros, to_micros

REQUESTED: Final = EventType(
    "account_deletion_requested",
    "The owner of an account, or an operator, asked for its deletion; its sessions end, and signing in before it is "
    "gone undoes it; `by`: owner or operator.",
    Severity.WARNING,
    ("by",),
    ends_sessions=True,
    words="The deletion of your account was asked for.",
)
UNDONE: Final = EventType(
    "account_deletion_undone",
    "Somebody signed in to an account that was to be deleted, so it stays.",
    Severity.NOTICE,
    tell_owner=True,
    at_every_address=True,
    words="Signing in undid the deletion of your account.",
)
DELETED: Final = EventType(
    "account_deleted",
    "An account was deleted, and all that belonged to it.",
    Severity.WARNING,
    ends_sessions=True,
    tell_owner=True,
    at_every_address=True,
    words="Your account was deleted.",
)
EVENTS: Final = (REQUESTED, UNDONE, DELETED)

_AT_ONCE: Final = 50
_log: Final = logging.getLogger("ostiary.deletion")
_ROWS_AT_ONCE: Final = 500
_NEXT_TRY: Final = timedelta(hours=1)
# Until then whoever holds an old link or a half-done sign-in may still cause rows about the account that was.
_LATE_ROWS: Final = timedelta(days=2)


async def request(core: Core, origin: Origin, who: Principal) -> datetime:
    """Have the account of whoever asks deleted after the grace; every session of it ends now.

    Returns:
        When it will be deleted.

    Raises:
        Refused: `fresh_authentication_required`, `session_ended`.
    """
    await core.factors.require(core.database, who)

    async def work(change: Change) -> datetime:
        # Of two requests at once the first ends the session of the second.
        await core.factors.hold(change, who)
        return await _mark(core, change, who.account_id, "owner")

    async with core.runner.flow(origin) as flow:
        return await flow.change(work)


async def request_for_operator(core: Core, email: str) -> tuple[str, datetime]:
    """The same because an operator says so; whoever signs in undoes it all the same.

    Returns:
        The account's id, and when it will be deleted; asked for again, the grace begins anew.

    Raises:
        Refused: `not_found`; nobody has this address.
    """

    async def work(change: Change) -> tuple[str, datetime]:
        found = await accounts.find(change, email)
        if found is None or await accounts.lock(change, found.account_id) is None:
            raise Refused(NOT_FOUND, "nobody has this address")
        return found.account_id, await _mark(core, change, found.account_id, "operator")

    async with core.runner.flow(Origin()) as flow:
        return await flow.change(work)


async def _mark(core: Core, change: Change, account_id: str, by: str) -> datetime:
    """Mark an account whose row this change has locked, and tell its owner when it will go."""
    due = change.now + core.settings.of(DeletionSettings).deletion_grace
    await change.run(store.MARK, of_account=account_id, new_due_at=to_micros(due), now=change.micros)
    await change.emit(REQUESTED(account_id, by=by))
    context = {
        "due_at": due,
        "by": by,
        "at": change.now,
        "ip": change.origin.ip,
        "device": describe_device(change.origin.user_agent),
    }
    for to in await recipients(change, account_id):
        await core.post.send(change, REQUESTED.name, to.address, context, language=to.locale)
    return due


async def undo(change: Change, event: Event) -> None:
    """Reaction to `sign_in_succeeded`, in the same transaction, with the account's row locked: it stays.

    Also when the grace is over but the account is still there: it would go while its owner uses it.
    """
    account = event.carried
    if isinstance(account, Account) and account.deletion_due_at is not None:
        await change.run(store.UNMARK, of_account=account.id, now=change.micros)
        await change.emit(UNDONE(account.id))


async def delete_due(core: Core) -> int:
    """Delete accounts whose grace is over, at most so many, each in a transaction of its own.

    Returns:
        How many were deleted.
    """
    due = await core.database.all(store.DUE, now=core.world.micros(), limit=_AT_ONCE)
    count = 0
    for account_id in due:
        try:
            async with core.runner.flow(Origin()) as flow:
                count += await flow.change(partial(_delete, account_id))
        except Unavailable as error:
            # One that cannot go now must not keep the others here: it is tried again after those that can.
            _log.warning("account %s could not be deleted: %s", account_id, error)
            async with core.runner.flow(Origin()) as flow:
                await flow.change(partial(_put_off, account_id))
    return count


async def _put_off(account_id: str, change: Change) -> None:
    later = change.micros + span_micros(_NEXT_TRY)
    await change.run(store.PUT_OFF, of_account=account_id, now=change.micros, later=later)


async def _delete(account_id: str, change: Change) -> bool:
    account = await accounts.lock(change, account_id)
    # Under the lock: a sign-in that came first has undone it, one that comes later finds no account.
    if account is None or account.deletion_due_at is None or account.deletion_due_at > change.now:
        return False
    await change.emit(DELETED(account_id))  # before it is done: who is told is read from its addresses
    await change.run(store.NOTE, account_id=account_id, clean_at=change.micros, cleaned_to="", is_last=0)
    await claims.forget(change, account_id)
    await change.run(store.DELETE, of_account=account_id)
    return True


async def clean_journals(core: Core) -> int:
    """Take what is about a person out of the journals of deleted accounts; what happened and when stays.

    Returns:
        How many accounts were worked on.
    """
    gone = await core.database.all(store.TO_CLEAN, now=core.world.micros(), limit=_AT_ONCE)
    for one in gone:
        try:
            async with core.runner.flow(Origin()) as flow:
                await flow.change(partial(_clean, one))
        except Unavailable as error:
            _log.warning("the journal of account %s could not be cleaned: %s", one.account_id, error)
    return len(gone)


async def _clean(gone: Gone, change: Change) -> None:
    given = {"of_account": gone.account_id, "after": gone.cleaned_to}
    rows = await change.all(store.NEXT_ROWS, **given, limit=_ROWS_AT_ONCE)
    if rows:
        await change.run(store.CLEAN, **given, to=rows[-1])
    has_more = len(rows) == _ROWS_AT_ONCE
    if gone.is_last and not has_more:
        await change.run(store.FORGET, of_account=gone.account_id)
        return
    await change.run(
        store.CLEANED,
        of_account=gone.account_id,
        # The last time begins anew: a row may have come in behind what was cleaned.
        new_cleaned_to=rows[-1] if has_more else "",
        new_clean_at=change.micros + (0 if has_more else span_micros(_LATE_ROWS)),
        new_is_last=int(bool(gone.is_last) or not has_more),
    )
