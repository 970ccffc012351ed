"""Owns what every test may ask for; anything narrower lives beside its tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ostiary.testing import Kit, running
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


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of this test's own, once of each kind."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite:///{tmp_path / 'ostiary.db'}"


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """A running engine on each database; at the end no secret stands in database, log or mails (L14)."""
    async with running(tmp_path, database=database_url) as kit:
        with nothing_leaks(kit):
            yield kit
