"""Owns what these tests share: one browser, one development server, and one more on PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest
from playwright.async_api import Browser

from tests.browser.person import Person, sitting
from tests.support.chromium import chromium
from tests.support.postgres import PostgresServer
from tests.support.server import Server, serving


class Seat(Protocol):
    """Seats a person at a browser of their own, closed and judged at the end of the test."""

    async def __call__(self, server: Server | None = None, **given: Any) -> Person:
        """Seat somebody.

        Args:
            server: Another server than the one that all share.
            given: For the browser's context.
        """
        ...


@pytest.fixture(scope="package")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    """One Chromium for all of these tests; a context is as good as a browser of one's own."""
    async with chromium() as running:
        yield running


@pytest.fixture(scope="package")
async def site(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """`ostiary serve --dev` on SQLite. Everybody here comes from one address, so its limits do not count."""
    folder = tmp_path_factory.mktemp("site")
    settings: dict[str, Any] = {
        "rate_limit_allow": "127.0.0.0/8",
        "delay_limit": "1s",
        "support_contact": "help@example.com",
        "profile_fields": "city text 80, born number 1900..2100, news flag",
    }
    async with serving(folder, "--dev", "--data", str(folder / "data"), **settings) as server:
        yield server


@pytest.fixture(scope="package")
async def postgres_site(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> AsyncIterator[Server]:
    """The same on PostgreSQL."""
    folder, database = tmp_path_factory.mktemp("site"), postgres.create_database()
    settings: dict[str, Any] = {"database": database, "auto_migrate": True, "outbox_poll": "200ms"}
    async with serving(folder, "--dev", "--data", str(folder / "data"), **settings) as server:
        yield server
    postgres.drop_database(database)


@pytest.fixture
async def seat(browser: Browser, site: Server) -> AsyncIterator[Seat]:
    """Seats people; whatever went wrong in a browser fails the test."""
    async with AsyncExitStack() as stack:

        async def one(server: Server | None = None, **given: Any) -> Person:
            return await stack.enter_async_context(sitting(browser, (server or site).url, **given))

        yield one
