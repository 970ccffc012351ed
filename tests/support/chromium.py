"""Owns the real browser: Debian's Chromium, driven by Playwright, with a new empty profile each time."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from playwright.async_api import Browser, async_playwright

ENVIRONMENT: Final = "TEST_CHROMIUM"
# Playwright gives each start an empty user-data-dir of its own and removes it. The sandbox cannot start as root.
_FLAGS: Final = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def program() -> str:
    """The browser's path: the one in `TEST_CHROMIUM`, or the one on this machine.

    Raises:
        RuntimeError: there is none.
    """
    given = os.environ.get(ENVIRONMENT)
    found = given or next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise RuntimeError(
            f"no Chromium: `make system-packages` installs Debian's as root; or name one in {ENVIRONMENT}"
        )
    return found


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A running browser; contexts in it share nothing."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program(), headless=True, args=list(_FLAGS)
        )
        try:
            yield browser
        finally:
            await browser.close()
