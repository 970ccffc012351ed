"""Owns the short ways to delete accounts that these tests share."""

from datetime import timedelta
from typing import Any

import httpx2

from ostiary.features.deletion.manifest import RIB
from ostiary.testing import Browser, Kit

ANNA, BERT = "anna@example.com", "bert@example.com"
GRACE = timedelta(days=14)
LATE = timedelta(days=2)


async def ask(browser: Browser) -> httpx2.Response:
    """Ask for the deletion of one's account."""
    return await browser.delete("/auth/account")


async def work(kit: Kit) -> None:
    """What the worker does about deletions when it is due, unless it has been here."""
    core = kit.engine.core
    for chore in RIB.chores(core):
        while await chore.run(core.database, core.world):
            pass


def subjects(kit: Kit, to: str) -> list[str]:
    """What came to an address."""
    return [mail["subject"] for mail in kit.mailbox.messages() if mail["to"] == to]


def mentions(rows: dict[str, list[tuple[Any, ...]]], *words: str) -> set[str]:
    """The tables in which one of the words stands anywhere."""
    return {name for name, found in rows.items() if any(word in repr(found) for word in words)}
