"""Owns the fixtures of these tests: a deployment on either database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.core.outbox.places import Place, create_tables, place_at, sqlite_url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database with our tables."""
    url: str = sqlite_url(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    create_tables(url)
    return url


@pytest.fixture
async def place(database_url: str) -> AsyncIterator[Place]:
    """A deployment with quick polling."""
    async with place_at(database_url) as made:
        yield made
