"""The cursor of the feed: nothing is missed, however late it is committed, and news are told from what was told."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from ostiary.core.revocations.feed import TOLD_AGAIN, Cursor, page_after
from ostiary.core.revocations.store import RevocationRow
from ostiary.kernel.world import World, first_id, to_micros
from ostiary.protocols.revocations import MOST_ENTRIES
from ostiary.testing.clock import TurnedClock

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def row(at: datetime, number: int) -> RevocationRow:
    """An entry whose id was made at a moment."""
    return RevocationRow(
        first_id(at)[:20] + f"{number:06d}", "session", f"mark{number}", None, to_micros(at) + 1
    )


def poll(cursor: Cursor, durable: list[RevocationRow], now: datetime) -> tuple[list[RevocationRow], Cursor]:
    """One reading of all pages."""
    told: list[RevocationRow] = []
    while True:
        after = cursor.place or cursor.horizon
        found = sorted((one for one in durable if one.id > after), key=lambda one: one.id)
        page, cursor = page_after(cursor, found[: MOST_ENTRIES + 1], first_id(now - TOLD_AGAIN))
        told += page
        if cursor.is_at_end:
            return told, cursor


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_committed_is_told(seed: int) -> None:
    """Commits up to ten seconds late, clocks up to ten seconds apart, polls at any time: each follower hears it all."""
    chance = Random(seed)  # a simulation
    rows, commits = [], {}
    for number in range(400):
        at = BEGIN + timedelta(seconds=chance.uniform(0, 300))
        rows.append(made := row(at + timedelta(seconds=chance.uniform(-10, 10)), number))
        commits[made.id] = at + timedelta(seconds=chance.uniform(0, 10))
    known: set[str] = set()
    cursor, now = Cursor(), BEGIN
    while now < BEGIN + timedelta(seconds=320):
        now += timedelta(seconds=chance.choice([0.1, 1, 5, 25]))
        durable = [one for one in rows if commits[one.id] <= now]
        told, cursor = poll(cursor, durable, now)
        known |= {one.id for one in told}
        assert known == {one.id for one in durable}


def test_a_long_list_comes_in_pages() -> None:
    """Each page is full but the last one, none is told twice, and the cursor says when it was the end."""
    rows = sorted((row(BEGIN + timedelta(seconds=n), n) for n in range(2500)), key=lambda one: one.id)
    cursor = Cursor()
    sizes: list[int] = []
    while not sizes or not cursor.is_at_end:
        rest = [one for one in rows if one.id > (cursor.place or cursor.horizon)]
        page, cursor = page_after(cursor, rest[: MOST_ENTRIES + 1], first_id(BEGIN - TOLD_AGAIN))
        sizes.append(len(page))
    assert sizes == [1000, 1000, 500]
    assert cursor.seen == 2500


def test_a_cursor_never_goes_back() -> None:
    """A clock that is set back, or another process's, tells again what was told, and no less."""
    later, earlier = first_id(BEGIN), first_id(BEGIN - timedelta(minutes=5))
    _, cursor = page_after(Cursor(), [], later)
    _, again = page_after(cursor, [], earlier)
    assert again.horizon == cursor.horizon == later
    assert Cursor.parse(str(cursor)) == cursor


def test_ids_stand_in_the_order_of_their_moments() -> None:
    """The least id of a moment is below every id of that moment and above every one before."""
    clock = TurnedClock()
    world = World(clock)
    for _ in range(50):
        before = world.id()
        clock.turn(timedelta(milliseconds=2))
        now = world.now()
        clock.turn(timedelta(milliseconds=2))
        assert before < first_id(now) <= world.id()
        assert len(first_id(now)) == len(before)
