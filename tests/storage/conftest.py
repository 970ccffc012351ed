"""Owns the furnished database of these tests, one of each kind."""

from collections.abc import AsyncIterator

import pytest

from ostiary.storage.database import Database
from tests.storage.shelf import furnish, opened


@pytest.fixture
async def database(empty_database_url: str) -> AsyncIterator[Database]:
    """An open executor on a furnished database."""
    async with opened(furnish(empty_database_url)) as database:
        yield database


@pytest.fixture
async def on_postgres(postgres_url: str) -> AsyncIterator[Database]:
    """The same on PostgreSQL only."""
    async with opened(furnish(postgres_url)) as database:
        yield database
