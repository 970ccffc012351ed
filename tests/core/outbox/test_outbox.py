"""What goes into the outbox is sealed, of one size, and there exactly when the change is durable."""

import pytest

from ostiary.core.outbox import store
from ostiary.core.outbox.outbox import requeue
from ostiary.core.outbox.settings import OutboxSettings
from ostiary.kernel.secret import Secret
from ostiary.storage.statement import compile_all
from tests.core.outbox.places import Place, Recorder, dead, running

TOKEN = "tok3n-that-nobody-may-read"
ADDRESS = "alice@example.org"


async def test_a_row_shows_neither_token_nor_address(place: Place) -> None:
    """Whoever reads the table learns nothing that signs anybody in.  # L14"""
    await place.put({"to": ADDRESS, "link": Secret(TOKEN)})
    (row,) = await place.rows()
    everything = " ".join(str(getattr(row, name)) for name in row.__dataclass_fields__)
    assert TOKEN not in everything
    assert ADDRESS not in everything
    assert "alice" not in everything


async def test_what_was_put_in_comes_out(place: Place) -> None:
    """A secret in the payload reaches the deliverer as text; the id is the one that `put` returned."""
    recorder = Recorder()
    async with running(place.worker(recorder)):
        put = await place.put({"to": ADDRESS, "link": Secret(TOKEN), "n": 3})
        await place.empty()
    (letter,) = recorder.letters
    assert (letter.id, letter.attempts, letter.kind) == (put, 1, "mail")
    assert letter.payload == {"to": ADDRESS, "link": TOKEN, "n": 3}


async def test_a_decoy_looks_the_same_and_vanishes(place: Place) -> None:
    """A decoy's row has the size and shape of a real one, and nobody delivers it.  # L16"""
    recorder = Recorder()
    put = await place.put({"to": ADDRESS, "name": "x" * 300})
    await place.put({"to": "", "name": ""}, live=False)
    real, decoy = sorted(await place.rows(), key=lambda row: row.id != put)
    assert len(real.sealed) == len(decoy.sealed)
    assert [type(getattr(real, f)) for f in real.__dataclass_fields__] == [
        type(getattr(decoy, f)) for f in decoy.__dataclass_fields__
    ]
    async with running(place.worker(recorder)):
        await place.empty()
    assert [letter.id for letter in recorder.letters] == [put]


async def test_a_rolled_back_change_sends_nothing(place: Place) -> None:
    """No row, no wake-up, when the transaction fails after `put`."""

    async def fail() -> None:
        async with place.change() as change:
            await place.outbox.put(change, "mail", {"to": ADDRESS})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await place.rows() == []
    assert not place.outbox.arrived.is_set()


async def test_a_row_cannot_be_moved(place: Place) -> None:
    """A sealed value opens only in its own row and as its own kind.  # L06"""
    await place.put({"to": ADDRESS})
    (row,) = await place.rows()
    claimed = store.Claimed(row.id, row.kind, row.sealed, row.created_at, 1)
    assert place.outbox.open(claimed) is not None
    assert place.outbox.open(store.Claimed("0" * 26, row.kind, row.sealed, row.created_at, 1)) is None
    assert place.outbox.open(store.Claimed(row.id, "webhook", row.sealed, row.created_at, 1)) is None


async def test_only_dead_letters_are_requeued(place: Place) -> None:
    """Requeueing an unknown or a queued row changes nothing and says so."""
    put = await place.put({"to": ADDRESS})
    before = await place.rows()
    async with place.change() as change:
        assert not await requeue(change, put)
        assert not await requeue(change, "nothing")
    assert await place.rows() == before
    assert await dead(place.database) == []


@pytest.mark.parametrize(
    "given",
    [
        {"outbox_timeout": OutboxSettings().outbox_lease},
        {"outbox_parallel": 0},
        {"outbox_poll": OutboxSettings().outbox_poll * 0},
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, object]) -> None:
    """A delivery must end before its lease does."""
    with pytest.raises(ValueError, match="outbox_"):
        OutboxSettings(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_statements_compile(dialect: str) -> None:
    """Every statement has a fixed shape on both databases, and PostgreSQL skips locked rows."""
    assert compile_all(dialect)
    assert ("SKIP LOCKED" in store.CLAIM.on(dialect).sql) == (dialect == "postgresql")
