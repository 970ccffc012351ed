"""Owns the engine of these tests: its clock stands, so that a code is the same for as long as a test wants."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ostiary.testing import Kit, running
from tests.core.signin.stage import StoppedClock
from tests.support.secrets import nothing_leaks


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """A running engine on each database; at the end no secret stands in database, log or mails (L14)."""
    async with running(tmp_path, database=database_url, clock=StoppedClock()) as kit:
        with nothing_leaks(kit):
            yield kit
