"""Owns the engine of these tests: every rib, and the throw-away ones."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ostiary.engine.features import RIBS
from ostiary.testing import Kit, running
from tests.support.ribs import KNOCK, WordOfTheDay


@pytest.fixture
def day() -> WordOfTheDay:
    """The factor; enrol somebody by giving them a word."""
    return WordOfTheDay()


@pytest.fixture
async def kit(database_url: str, tmp_path: Path, day: WordOfTheDay) -> AsyncIterator[Kit]:
    """An engine with one more factor and one more way in."""
    async with running(tmp_path, database=database_url, ribs=(*RIBS, day.rib, KNOCK)) as kit:
        yield kit
