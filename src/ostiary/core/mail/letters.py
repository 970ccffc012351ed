"""Owns what an operator sees and does with mails that have not left: a list without their words, and another try."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ostiary.core.change import Change
from ostiary.core.mail.post import KIND
from ostiary.core.outbox import store
from ostiary.core.outbox.outbox import Outbox, requeue
from ostiary.kernel.world import from_micros
from ostiary.storage.database import Reads

_PAGE: Final = 200
_SEALED: Final = "sealed with a key that is not at hand"


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail that waits or is dead. What it says, with its links and codes, stays sealed.

    Attributes:
        id: Of its row, and the left half of its Message-ID.
        is_dead: Nobody will try to deliver it unless told to.
        template: "" together with `to` when no key at hand opens it.
        to: The recipient.
        language: In which it is.
        tries: So far.
        last_error: In our own words.
        created_at: When it was put in.
        at: When it is tried next, or when it died.
        expires_at: When its link or code stops working; None when it has none.
    """

    id: str
    is_dead: bool
    template: str
    to: str
    language: str
    tries: int
    last_error: str
    created_at: datetime
    at: datetime
    expires_at: datetime | None

    def has_expired(self, now: datetime) -> bool:
        """Whether what it brings is of no use any more."""
        return self.expires_at is not None and self.expires_at <= now


async def latest(reads: Reads, outbox: Outbox, limit: int, *, only_dead: bool = False) -> list[KeptMail]:
    """The newest mails that have not left, out of at most `limit` rows; decoys are not listed."""
    query = store.LATEST_DEAD if only_dead else store.LATEST
    return _seen(outbox, await reads.all(query, kind=KIND, limit=limit))


async def find_dead(reads: Reads, outbox: Outbox, letter_id: str) -> KeptMail | None:
    """One dead mail."""
    row = await reads.one(store.DEAD_ONE, kind=KIND, id=letter_id)
    return _look(outbox, row) if row is not None else None


async def every_dead(reads: Reads, outbox: Outbox) -> AsyncIterator[list[KeptMail]]:
    """All dead mails, oldest first, page by page."""
    after = ""
    while rows := await reads.all(store.DEAD_AFTER, kind=KIND, after=after, limit=_PAGE):
        after = rows[-1].id
        yield _seen(outbox, rows)


async def send_again(change: Change, mails: Iterable[KeptMail]) -> list[KeptMail]:
    """Let dead mails be tried again, with all their tries.

    Returns:
        Those that were still dead.
    """
    return [mail for mail in mails if await requeue(change, mail.id)]


def _seen(outbox: Outbox, rows: Iterable[store.Kept]) -> list[KeptMail]:
    return [mail for row in rows if (mail := _look(outbox, row)) is not None]


def _look(outbox: Outbox, row: store.Kept) -> KeptMail | None:
    letter = outbox.open(row)
    if letter is not None and not letter.is_live:
        return None
    inside = letter.payload if letter is not None else {}
    expires_at = inside.get("expires_at")
    return KeptMail(
        row.id,
        row.is_dead,
        inside.get("template", ""),
        inside.get("to", "").rstrip(),
        inside.get("language", ""),
        row.attempts,
        row.last_error if letter is not None else _SEALED,
        from_micros(row.created_at),
        from_micros(row.due_at),
        None if expires_at is None else from_micros(expires_at),
    )
