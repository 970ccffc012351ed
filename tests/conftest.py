"""Owns what every test may ask for; anything narrower lives beside its tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ostiary.testing import Kit, running
from tests.support.databases import MigratedFile, Stock
from tests.support.postgres import PostgresServer
from tests.support.secrets import nothing_leaks
from tests.support.skips import SkipWatch


def pytest_configure(config: pytest.Config) -> None:
    """Watch for skips, once: with several workers only the controlling process judges."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(SkipWatch(), "ostiary-skips")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """ostiary runs on asyncio; trio is not offered."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A private PostgreSQL, started when first asked for; one per worker."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """An empty database of this test's own, as `postgresql://user:password@host:port/name`."""
    url = postgres.create_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> MigratedFile:
    """An SQLite database with the tables, to be copied."""
    return MigratedFile(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(scope="session")
def stock(postgres: PostgresServer) -> Stock:
    """PostgreSQL databases with the tables, to be lent."""
    return Stock(postgres)


@pytest.fixture
def migrated_postgres(stock: Stock) -> Iterator[str]:
    """A PostgreSQL database of this test's own with the tables and without a row."""
    url = stock.take()
    yield url
    stock.give_back(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of this test's own without tables, once of each kind."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite:///{tmp_path / 'ostiary.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of this test's own with the tables and without a row, once of each kind."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("migrated_postgres")
        return url
    template: MigratedFile = request.getfixturevalue("migrated_file")
    return template.copy(tmp_path / "ostiary.db")


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """A running engine on each database; at the end no secret stands in database, log or mails (L14)."""
    async with running(tmp_path, database=database_url) as kit:
        with nothing_leaks(kit):
            yield kit
