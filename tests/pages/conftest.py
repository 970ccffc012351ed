"""Owns the factor that some of these tests enrol people in, and an engine that has it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ostiary.engine.features import RIBS
from ostiary.testing import Kit, running
from tests.pages.reading import Page
from tests.pages.tour import tour
from tests.support.ribs import WordOfTheDay


@pytest.fixture
def day() -> WordOfTheDay:
    """The factor; enrol somebody by giving them a word."""
    return WordOfTheDay()


@pytest.fixture
async def guarded(database_url: str, tmp_path: Path, day: WordOfTheDay) -> AsyncIterator[Kit]:
    """An engine with that factor."""
    async with running(tmp_path, database=database_url, ribs=(*RIBS, day.rib)) as kit:
        yield kit


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    """Every page in every state, walked through once."""
    return asyncio.run(_walk(tmp_path_factory.mktemp("tour")))


async def _walk(folder: Path) -> dict[str, Page]:
    day = WordOfTheDay()
    given = {"support_contact": "help@example.com", "email_code": True}
    async with running(folder, ribs=(*RIBS, day.rib), **given) as kit:  # type: ignore[arg-type]
        return await tour(kit, day, "anna@example.com")
