"""The keyring: sealed at rest, the same in every process, and no key of one purpose opens what another one closed."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from ostiary.core.keys import store
from ostiary.core.keys.ring import PURPOSES, Keyring, RingPepper, decode_base64url, framed, purpose
from ostiary.core.keys.root import RootSeal
from ostiary.engine import engine as engines
from ostiary.kernel.errors import Misuse
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.storage import migrate
from ostiary.storage.connect import database_for
from ostiary.storage.database import Database

ROOT = Secret(os.urandom(32))
WORLD = World()
parts = st.lists(st.one_of(st.text(max_size=20), st.binary(max_size=20)), max_size=4)
purposes = st.sampled_from(sorted(PURPOSES.values(), key=lambda p: p.name))
assert engines.__name__, "importing the engine declares every purpose"


async def open_ring(database: Database, root: Secret = ROOT) -> Keyring:
    """A process' keyring on a database."""
    ring = Keyring(WORLD, RootSeal(root))
    await ring.open(database, PURPOSES.values())
    return ring


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    """An open ring with every purpose; its database is closed again."""

    async def make() -> Keyring:
        url = f"sqlite:///{tmp_path_factory.mktemp('ring') / 'ostiary.db'}"
        migrate.upgrade(url)
        database = database_for(url, pool_size=1, prepared_statements=True)
        await database.open()
        try:
            return await open_ring(database)
        finally:
            await database.close()

    with asyncio.Runner() as runner:
        return runner.run(make())


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated database of each kind."""
    migrate.upgrade(database_url)
    database = database_for(database_url, pool_size=4, prepared_statements=True)
    await database.open()
    yield database
    await database.close()


def behind_the_back(url: str, statement: sa.Executable) -> None:
    """Change the table as somebody with access to the database would."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(statement)
    engine.dispose()


async def test_one_key_per_purpose(database: Database) -> None:
    """The first start makes one key for each purpose, and a second start makes none."""
    ring = await open_ring(database)
    rows = await database.all(store.LOAD)
    assert sorted(row.purpose for row in rows) == sorted(PURPOSES)
    assert len({ring.current(p).id for p in PURPOSES.values()}) == len(PURPOSES)
    assert len({ring.current(p).secret.reveal_bytes() for p in PURPOSES.values()}) == len(PURPOSES)
    await open_ring(database)
    assert await database.all(store.LOAD) == rows


async def test_nothing_of_a_key_is_stored_open(database: Database) -> None:
    """The table holds no key, in no encoding."""
    ring = await open_ring(database)
    table = b"".join(row.sealed + row.id.encode() for row in await database.all(store.LOAD))
    for wanted in PURPOSES.values():
        raw = ring.current(wanted).secret.reveal_bytes()
        for spelled in (raw, raw.hex().encode(), base64.urlsafe_b64encode(raw).rstrip(b"=")):
            assert spelled not in table


async def test_processes_that_start_together_share_a_ring(database: Database) -> None:
    """Several first starts at once end with the same keys, each with those that are stored."""
    rings = await asyncio.gather(*(open_ring(database) for _ in range(8)))
    for wanted in PURPOSES.values():
        assert len({ring.current(wanted).id for ring in rings}) == 1
        sealed = rings[0].seal(wanted, b"x")
        assert all(ring.open_sealed(wanted, sealed) == b"x" for ring in rings)
    assert len(await database.all(store.LOAD)) == len(PURPOSES)


async def test_a_restart_opens_what_was_closed_before(database: Database) -> None:
    """A new process reads the old one's values, also after a newer key has taken over."""
    wanted = PURPOSES["outbox"]
    before = await open_ring(database)
    sealed, mac = before.seal(wanted, b"letter", "ctx"), before.mac(wanted, "a", "b")
    raw = RootSeal(ROOT).seal(WORLD, os.urandom(32), framed("ring", "outbox", "newkey"))
    async with database.transaction() as tx:
        await tx.run(
            store.ADD,
            id="newkey",
            purpose="outbox",
            generation=2,
            sealed=raw,
            created_at=0,
            active_at=0,
            root=None,
        )
    after = await open_ring(database)
    assert after.current(wanted).id == "newkey"
    assert after.open_sealed(wanted, sealed, "ctx") == b"letter"
    assert after.check_mac(wanted, mac, "a", "b")
    newer = after.seal(wanted, b"letter")
    assert newer.startswith("newkey.")
    assert before.open_sealed(wanted, newer) is None, "a process that does not have the key yet says so"
    pepper = RingPepper(after)
    key_id, secret = pepper.current()
    found = pepper.by_id(key_id)
    assert found is not None
    assert found.matches(secret)
    assert pepper.by_id("newkey") is None, "a key of another purpose is no pepper"


async def test_another_root_is_refused(database: Database) -> None:
    """A ring sealed by another root does not open, and nothing is added to it."""
    await open_ring(database)
    rows = await database.all(store.LOAD)
    with pytest.raises(Misuse, match="root_secret does not belong to this database"):
        await open_ring(database, Secret(os.urandom(32)))
    assert await database.all(store.LOAD) == rows


@pytest.mark.parametrize("change", ["sealed", "purpose", "swapped"])
async def test_an_altered_row_is_refused(database: Database, database_url: str, change: str) -> None:
    """A key whose row was altered, renamed to another purpose or swapped with another one is not used."""
    await open_ring(database)
    first, second, *_ = await database.all(store.LOAD)
    changes: dict[str, dict[str, Any]] = {
        "sealed": {"sealed": first.sealed[:-1] + bytes([first.sealed[-1] ^ 1])},
        "purpose": {"purpose": second.purpose, "generation": 2},
        "swapped": {"sealed": second.sealed},
    }
    values = changes[change]
    table = store.keyring
    behind_the_back(database_url, sa.update(table).where(table.c.id == first.id).values(values))
    with pytest.raises(Misuse, match="does not belong to this database"):
        await open_ring(database)


@given(purposes, st.binary(max_size=200), parts)
def test_seal_and_open(ring: Keyring, wanted: Any, plain: bytes, context: list[str | bytes]) -> None:
    """What is sealed names its key, hides the plain text, never repeats itself, and opens for its context."""
    sealed = ring.seal(wanted, plain, *context)
    assert sealed.startswith(ring.current(wanted).id + ".")
    assert sealed.isascii()
    assert sealed != ring.seal(wanted, plain, *context)
    assert ring.open_sealed(wanted, sealed, *context) == plain
    for other in PURPOSES.values():
        if other != wanted:
            assert ring.open_sealed(other, sealed, *context) is None
            forged = f"{ring.current(other).id}.{sealed.partition('.')[2]}"
            assert ring.open_sealed(other, forged, *context) is None
    assert ring.open_sealed(wanted, sealed, *context, "more") is None


@given(purposes, parts, parts)
def test_mac(ring: Keyring, wanted: Any, said: list[str | bytes], other: list[str | bytes]) -> None:
    """A MAC holds for the same parts of the same purpose and for nothing else; lengths are part of it (L22)."""
    mac = ring.mac(wanted, *said)
    assert mac.startswith(ring.current(wanted).id + ".")
    assert mac == ring.mac(wanted, *said)
    assert ring.check_mac(wanted, mac, *said)
    assert ring.check_mac(wanted, mac, *other) == (framed(*other) == framed(*said))
    for foreign in PURPOSES.values():
        if foreign != wanted:
            assert not ring.check_mac(foreign, mac, *said)
            assert not ring.check_mac(foreign, f"{ring.current(foreign).id}.{mac.partition('.')[2]}", *said)


@given(purposes, st.binary(max_size=50), st.data())
def test_an_altered_value_never_opens(ring: Keyring, wanted: Any, plain: bytes, data: st.DataObject) -> None:
    """Not one character of a sealed value or a MAC can be changed, dropped or added."""

    def opens_seal(words: str) -> bool:
        return ring.open_sealed(wanted, words) is not None

    def holds_mac(words: str) -> bool:
        return ring.check_mac(wanted, words, plain)

    for made, opens in ((ring.seal(wanted, plain), opens_seal), (ring.mac(wanted, plain), holds_mac)):
        assert opens(made)
        at = data.draw(st.integers(0, len(made) - 1))
        new = data.draw(st.sampled_from("Aa0-_.=+/ é\n"))
        for altered in (made[:at] + new + made[at + 1 :], made[:at] + made[at + 1 :], made + new, new + made):
            assert opens(altered) == (altered == made)


@given(st.text(max_size=80))
def test_nonsense_never_opens(ring: Keyring, words: str) -> None:
    """Any text at all is answered with None or False, never with an exception."""
    for wanted in PURPOSES.values():
        assert ring.open_sealed(wanted, words) is None
        assert ring.open_sealed(wanted, f"{ring.current(wanted).id}.{words}") is None
        assert not ring.check_mac(wanted, words, "x")
        assert not ring.check_mac(wanted, f"{ring.current(wanted).id}.{words}", "x")


@given(parts, parts)
def test_framing_is_unambiguous(one: list[str | bytes], other: list[str | bytes]) -> None:
    """Two lists of parts give the same bytes only when they are the same bytes part by part (L22)."""

    def raw(parts: list[str | bytes]) -> list[bytes]:
        return [part.encode() if isinstance(part, str) else part for part in parts]

    assert (framed(*one) == framed(*other)) == (raw(one) == raw(other))


@given(st.binary(max_size=60), st.text(max_size=30))
def test_base64url_is_canonical(raw: bytes, words: str) -> None:
    """Every value has one spelling: what decodes encodes back to the same text."""
    spelled = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert decode_base64url(spelled) == raw
    found = decode_base64url(words)
    assert found is None or base64.urlsafe_b64encode(found).rstrip(b"=").decode() == words


def test_a_purpose_is_declared_once() -> None:
    """The same name with another meaning would make keys serve two ends (L06)."""
    pepper = PURPOSES["pepper"]
    assert purpose(pepper.name, pepper.doc, by_hand=pepper.by_hand) == pepper
    with pytest.raises(Misuse, match="declared twice"):
        purpose(pepper.name, "something else")
