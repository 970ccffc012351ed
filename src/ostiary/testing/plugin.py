"""Owns the pytest plugin: fixtures for applications that embed ostiary. It imports nothing heavy until one is used."""

from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
async def ostiary_kit(tmp_path: Path) -> AsyncIterator[Any]:
    """A running `ostiary.testing.Kit` on a fresh SQLite file."""
    async with import_module("ostiary.testing").running(tmp_path) as kit:
        yield kit
