"""Owns the pages of the feed and the cursor that a follower carries from one to the next.

Rows are ordered by the time at which they were written, but a transaction may commit up to ten seconds after that, and
clocks differ. So the latest thirty seconds are told again at every poll: a cursor never moves past that horizon. What
a follower has seen of them is a number: how many rows there were. When there are more, there is news.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from ostiary.core.cursor import open_cursor, seal_cursor
from ostiary.core.keys.ring import Keyring
from ostiary.core.keys.signing.keys import SigningKeys
from ostiary.core.revocations import store
from ostiary.core.revocations.reads import Reads
from ostiary.core.revocations.store import RevocationRow
from ostiary.core.revocations.waiting import Waiting
from ostiary.kernel.errors import Refused
from ostiary.kernel.world import World, first_id
from ostiary.protocols.revocations import MOST_ENTRIES, Entry, Kind, Page, write_page
from ostiary.storage.database import Database, Transaction

TOLD_AGAIN: Final = timedelta(seconds=30)
# Rows of a cursor younger than this are all still there, so counting them tells whether there are more.
_COUNTED: Final = timedelta(seconds=90)
_LIST: Final = "revocations"
_KINDS: Final[dict[str, Kind]] = {"session": "session", "key": "key", "subject": "subject"}


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a follower is.

    Attributes:
        horizon: Everything up to this id was told, and nothing can come in there any more.
        place: Where the next page of an unfinished reading begins; "" when all was read.
        seen: How many rows behind the horizon were told in this reading.
    """

    horizon: str = ""
    place: str = ""
    seen: int = 0

    @property
    def is_at_end(self) -> bool:
        """Whether everything was read, so that one may wait for news."""
        return not self.place

    def __str__(self) -> str:
        return f"{self.horizon} {self.place} {self.seen}"

    @classmethod
    def parse(cls, words: str) -> "Cursor":
        """Read what `str` wrote."""
        horizon, place, seen = words.split(" ")
        return cls(horizon, place, int(seen))


def page_after(cursor: Cursor, rows: list[RevocationRow], horizon: str) -> tuple[list[RevocationRow], Cursor]:
    """The rows of a page, and the cursor behind it. Pure.

    Args:
        cursor: Where the follower stands.
        rows: What follows there; one more than a page when there is more.
        horizon: The id of thirty seconds ago, for a reading that begins now.
    """
    if cursor.is_at_end:
        cursor = Cursor(max(cursor.horizon, horizon))
    told = rows[:MOST_ENTRIES]
    seen = cursor.seen + sum(row.id > cursor.horizon for row in told)
    place = told[-1].id if len(rows) > MOST_ENTRIES else ""
    return told, replace(cursor, place=place, seen=seen)


class Feed:
    """Reads pages, signs them, and lets followers wait.

    Args:
        world: The clock.
        database: Where the entries are.
        ring: Seals cursors.
        signing: Signs pages.
        waiting: Where followers wait.
        issuer: Our base URL.
    """

    def __init__(
        self,
        world: World,
        database: Database,
        ring: Keyring,
        signing: SigningKeys,
        waiting: Waiting,
        issuer: str,
    ) -> None:
        self._world = world
        self._database = database
        self._ring = ring
        self._signing = signing
        self._issuer = issuer
        self._reads = Reads()
        self.waiting: Final = waiting

    def cursor(self, presented: str | None) -> Cursor:
        """Where a follower stands; one whose cursor opens no more begins again, which loses nothing."""
        if not presented:
            return Cursor()
        try:
            return Cursor.parse(open_cursor(self._ring, presented, _LIST))
        except Refused:
            return Cursor()

    async def read(self, cursor: Cursor) -> tuple[list[RevocationRow], Cursor, bool]:
        """The next page, the cursor behind it, and whether it holds anything that this follower was not told."""
        now = self._world.now()
        after = cursor.place or cursor.horizon
        rows = await self._database.all(
            store.PAGE, after=after, now=self._world.micros(), limit=MOST_ENTRIES + 1
        )
        told, following = page_after(cursor, rows, first_id(now - TOLD_AGAIN))
        if not cursor.is_at_end or cursor.horizon < first_id(now - _COUNTED):
            return told, following, True
        count = len(rows)
        if count > MOST_ENTRIES:
            found = await self._database.one(store.COUNT, after=after, later=after)
            count = found.all if found else count
        return told, following, count > cursor.seen

    async def poll(self, cursor: Cursor, network: str, wait: timedelta) -> tuple[list[RevocationRow], Cursor]:
        """The next page: at once if it holds news, otherwise when there are some, or when the time is over.

        Cancelling it ends the wait and gives the place back at once; a read that has begun runs to its end.

        Args:
            cursor: Where the follower stands.
            network: Whose place it takes while it waits.
            wait: How long; it is nothing when there is no place to wait.
        """
        told, following, is_news = await self._reads.result(self.read(cursor))
        if is_news or not wait:
            return told, following
        deadline = self._world.monotonic() + wait.total_seconds()
        async with self.waiting.place(network) as place:
            rest = wait.total_seconds() if place is not None else 0.0
            while place is not None:
                mark = place.mark()
                # Also at the end of the wait: the answer says that this is all, so it must be true at that moment.
                told, following, is_news = await self._reads.result(self.read(cursor))
                if is_news or rest <= 0 or self.waiting.is_closed:
                    break
                await place.news(mark, rest)
                rest = deadline - self._world.monotonic()
        return told, following

    def written(self, told: list[RevocationRow], following: Cursor) -> str:
        """The page as signed text."""
        entries = tuple(
            Entry(_KINDS[row.kind], row.mark, -(-row.until // 1_000_000), row.version) for row in told
        )
        page = Page(entries, seal_cursor(self._ring, str(following), _LIST), not following.is_at_end)
        return write_page(self._signing.current, self._issuer, page, self._world.now())

    async def sweep(self, tx: Transaction, batch: int) -> int:
        """Remove entries that concern no living token, at most `batch`."""
        return await tx.run(store.SWEEP, now=self._world.micros(), batch=batch)
