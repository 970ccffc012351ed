"""Owns what the tests of this folder share: a clock that stands still, people of every kind, and prints of answers."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import Status
from ostiary.core.accounts.store import password
from ostiary.core.change import Change
from ostiary.core.outbox.store import outbox
from ostiary.core.throttle.store import throttle
from ostiary.kernel.origin import Origin
from ostiary.storage.statement import Query, command
from ostiary.testing import Kit, TurnedClock, running
from ostiary.testing.kit import PASSWORD, Browser
from tests.support.statements import statements_of

WRONG: Final = "wrong battery staple zebra"
_UNTOLD: Final = frozenset({"date", "x-request-id"})

REMOVE_PASSWORD: Final = command(
    "test.remove_password", sa.delete(password).where(password.c.account_id == bindparam("account_id"))
)
DISABLE_PASSWORD: Final = command(
    "test.disable_password",
    sa.update(password).where(password.c.account_id == bindparam("of_account")).values(disabled_at=1),
)
WAITING: Final = Query("test.waiting", sa.select(sa.func.count()).select_from(outbox), int)
COUNTERS: Final = Query(
    "test.counters", sa.select(throttle.c.key, throttle.c.state).order_by(throttle.c.key), lambda *row: row
)

_slept: ContextVar[list[timedelta] | None] = ContextVar("slept", default=None)


class StillClock(TurnedClock):
    """Stands still until it is turned, so that two answers can be compared to the second.

    Who is asked through `ask` and would sleep is noted and goes on at once, on a stopwatch that has moved on.
    """

    def __init__(self) -> None:
        super().__init__()
        self._start = super().now()
        self._skipped = 0.0

    def now(self) -> datetime:
        return self._start + self._ahead

    def monotonic(self) -> float:
        return super().monotonic() + self._skipped

    async def sleep(self, duration: timedelta) -> None:
        slept = _slept.get()
        if slept is None:
            await super().sleep(duration)
            return
        slept.append(duration)
        self._skipped += duration.total_seconds()
        await asyncio.sleep(0)


@asynccontextmanager
async def still(folder: Path, **given: Any) -> AsyncIterator[Kit]:
    """A running engine whose clock stands still."""
    async with running(folder, clock=StillClock(), **given) as kit:
        yield kit


@dataclass(frozen=True)
class Print:
    """Everything about an answer that could tell one address from another.

    Attributes:
        body: Without `instance`, the request's id.
        hashes: How many passwords were hashed.
        statements: By name, in order; how many rows the outbox got can be counted in there.
        slept: How long the answer was held back.
    """

    status: int
    body: dict[str, Any]
    headers: tuple[tuple[str, str], ...]
    cookies: tuple[str, ...]
    hashes: int
    statements: tuple[str, ...]
    slept: tuple[timedelta, ...]

    @property
    def told(self) -> tuple[object, ...]:
        """What the caller can read."""
        return self.status, self.body, self.headers, self.cookies

    @property
    def letters(self) -> int:
        """Rows written into the outbox."""
        return self.statements.count("outbox.add")

    def header(self, name: str) -> str | None:
        """A header's value."""
        return dict(self.headers).get(name)


async def ask(kit: Kit, path: str, body: dict[str, Any], *, ip: str = "192.0.2.10", **headers: str) -> Print:
    """Post as a new browser and take the print of the answer."""
    return await ask_as(kit.browser(ip), kit, path, body, **headers)


async def ask_as(browser: Browser, kit: Kit, path: str, body: dict[str, Any], **headers: str) -> Print:
    """Post as somebody, who may be signed in, and take the print of the answer."""
    core = kit.engine.core
    hashes = core.passwords.pool.accepted
    slept: list[timedelta] = []
    token = _slept.set(slept)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with statements_of(core.database) as names:
        answer = await browser.post(path, json=body, headers=given)
    _slept.reset(token)
    content = answer.json()
    content.pop("instance", None)
    return Print(
        answer.status_code,
        content,
        tuple(
            sorted(
                (name, _told(name, value)) for name, value in answer.headers.items() if name not in _UNTOLD
            )
        ),
        tuple(sorted(browser.cookies)),
        core.passwords.pool.accepted - hashes,
        tuple(names),
        tuple(slept),
    )


def _told(name: str, value: str) -> str:
    """A header without what differs each time: the value of a cookie."""
    return re.sub(r"=[^;]*", "=…", value, count=1) if name == "set-cookie" else value


async def try_password(kit: Kit, address: str, password: str = WRONG, **given: Any) -> Print:
    """Try to sign in."""
    return await ask(kit, "/auth/login", {"identifier": address, "password": password}, **given)


async def account_id(kit: Kit, address: str) -> str:
    """The account that has an address."""
    found = await accounts.find(kit.engine.core.database, address)
    assert found is not None
    return found.account_id


async def people(kit: Kit) -> dict[str, tuple[str, str]]:
    """Somebody of each kind: address, and a password that must not get them in."""
    for kind in ("verified", "disabled", "disabled-right", "passwordless", "password-disabled"):
        await kit.signed_up(f"{kind}@example.com")
    registration = {"email": "unverified@example.com", "password": PASSWORD}
    (await kit.browser().post("/auth/register", json=registration)).raise_for_status()
    await kit.verification("unverified@example.com")
    of = {
        kind: await account_id(kit, f"{kind}@example.com") for kind in ("passwordless", "password-disabled")
    }
    disabled = [await account_id(kit, f"{kind}@example.com") for kind in ("disabled", "disabled-right")]

    async def work(change: Change) -> None:
        for one in disabled:
            await accounts.set_status(change, one, Status.DISABLED, "a test")
        await change.run(REMOVE_PASSWORD, account_id=of["passwordless"])
        await change.run(DISABLE_PASSWORD, of_account=of["password-disabled"])

    async with kit.engine.core.runner.flow(Origin()) as flow:
        await flow.change(work)
    kit.clock.turn(timedelta(hours=2))  # what was counted for the addresses so far has left every window
    await drained(kit)
    return {
        "unknown": ("unknown@example.com", WRONG),
        "verified": ("verified@example.com", WRONG),
        "unverified": ("unverified@example.com", WRONG),
        "disabled": ("disabled@example.com", WRONG),
        "disabled, right password": ("disabled-right@example.com", PASSWORD),
        "without a password": ("passwordless@example.com", PASSWORD),
        "password disabled, right password": ("password-disabled@example.com", PASSWORD),
    }


def network(number: int) -> str:
    """An address of its own for each caller, so that the networks' counters are equal."""
    return f"198.51.100.{number + 1}"


async def drained(kit: Kit) -> None:
    """Wait until the worker has delivered or dropped everything."""
    for _ in range(1000):
        if not await kit.engine.core.database.one(WAITING):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the outbox did not empty")


def mails_to(kit: Kit, address: str) -> int:
    """How many mails came to an address."""
    return sum(mail["to"] == address for mail in kit.mailbox.messages())
