"""Starting: the schema, the keyring and the database have to fit, or the engine refuses with what to do."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from ostiary.core.keys import store
from ostiary.core.keys.ring import PURPOSES, Purpose
from ostiary.core.mail.mailbox import Mailbox
from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import load
from ostiary.kernel.errors import Misuse, Unavailable
from ostiary.kernel.world import World
from ostiary.storage import migrate
from ostiary.testing import running
from ostiary.testing.kit import CHEAP
from tests.support.ports import free_port

WORLD = World()
ROOT = WORLD.token().reveal()


@pytest.fixture
def behind(empty_database_url: str) -> Iterator[sa.Engine]:
    """A way into the database that the engine knows nothing of."""
    engine = sa.create_engine(
        empty_database_url.replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool
    )
    yield engine
    engine.dispose()


def build(url: str, **given: object) -> Engine:
    """A production engine that is not started."""
    values: dict[str, object] = {
        "database": url, "base_url": "https://auth.example.test", "root_secret": ROOT,
        "smtp_host": "mail.example.test", "mail_from": "no-reply@auth.example.test", **given,
    }  # fmt: skip
    return Engine(load(RIBS, WORLD, values), RIBS, WORLD, transport=Mailbox(), scheme=CHEAP)


async def test_postgresql_is_not_migrated_by_itself(postgres_url: str) -> None:
    """In production an operator migrates PostgreSQL: until then the engine refuses and names the command."""
    engine = build(postgres_url)
    with pytest.raises(Misuse, match="run `ostiary migrate`"):
        await engine.start()
    assert await asyncio.to_thread(migrate.current, postgres_url) is None
    await asyncio.to_thread(migrate.upgrade, postgres_url)
    async with engine:
        assert await engine.core.database.all(store.LOAD)


async def test_sqlite_is_migrated_by_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The embedded database needs no command; the log says what happened. Switched off, it is checked only."""
    url = f"sqlite:///{tmp_path / 'ostiary.db'}"
    with pytest.raises(Misuse, match="run `ostiary migrate`"):
        await build(url, auto_migrate=False).start()
    with caplog.at_level(logging.INFO, "ostiary.engine"):
        async with build(url):
            pass
        async with build(url, auto_migrate=False):
            pass
    assert [record.getMessage() for record in caplog.records if record.name == "ostiary.engine"] == [
        f"database migrated from nothing to {migrate.newest()}"
    ]


async def test_another_root_secret(empty_database_url: str) -> None:
    """The engine refuses to start with a root secret that did not seal this database; the right one still does."""
    async with build(empty_database_url, auto_migrate=True):
        pass
    wrong = WORLD.token().reveal()
    with pytest.raises(Misuse, match="root_secret does not belong to this database") as caught:
        await build(empty_database_url, auto_migrate=True, root_secret=wrong).start()
    assert wrong not in str(caught.value)
    async with build(empty_database_url, auto_migrate=True):
        pass


async def test_an_altered_key(empty_database_url: str, behind: sa.Engine) -> None:
    """A row of the keyring that somebody altered stops the start."""
    async with build(empty_database_url, auto_migrate=True):
        pass
    with behind.begin() as connection:
        connection.execute(sa.update(store.keyring).values(sealed=b"\0" * 60))
    with pytest.raises(Misuse, match="does not belong to this database"):
        await build(empty_database_url, auto_migrate=True).start()


async def test_two_engines_start_together(tmp_path: Path, empty_database_url: str) -> None:
    """Both migrate and look for keys: they end with one ring, and share sessions."""
    async with running(tmp_path, database=empty_database_url, root_secret=ROOT) as one:
        # Before there is a second worker, which might take the mail to a mailbox of its own.
        await one.signed_up("anna@example.com")
        async with running(tmp_path, database=empty_database_url, root_secret=ROOT) as other:
            anna = await one.sign_in("anna@example.com")
            there = other.browser(cookies=dict(anna.cookies))
            assert (await there.get("/auth/session")).status_code == 200


async def test_two_engines_start_at_once(empty_database_url: str) -> None:
    """The same with both starts in flight at the same time."""
    engines = [build(empty_database_url, auto_migrate=True) for _ in range(3)]
    try:
        await asyncio.gather(*(engine.start() for engine in engines))
        rings = [{p: engine.core.ring.current(p).id for p in purposes()} for engine in engines]
        assert rings[0] == rings[1] == rings[2]
    finally:
        for engine in engines:
            await engine.stop()


def purposes() -> list[Purpose]:
    """Every purpose of keys."""
    return list(PURPOSES.values())


async def test_a_failed_start_can_be_repeated(postgres_url: str) -> None:
    """A database that is not there yet is `Unavailable`; the same engine starts once it is."""
    nowhere = f"postgresql://nobody:secret-word@127.0.0.1:{free_port()}/ostiary"
    engine = build(nowhere)
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            await engine.start()
        assert "secret-word" not in str(caught.value)
    await engine.stop()
    engine = build(postgres_url)
    with pytest.raises(Misuse):
        await engine.start()
    await asyncio.to_thread(migrate.upgrade, postgres_url)
    await engine.start()
    await engine.start()
    await engine.stop()
    await engine.stop()
