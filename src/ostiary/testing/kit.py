"""Owns the engine in the process, and the people that a test needs."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Self

import httpx2

from ostiary.core.access.authority import Declared
from ostiary.core.mail.mailbox import Mailbox
from ostiary.core.passwords.schemes import Argon2id, Scheme
from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import load
from ostiary.http.rib import Rib
from ostiary.kernel.world import World
from ostiary.testing.clock import TurnedClock
from ostiary.testing.template import copy_to

PASSWORD: Final = "quiet harbour seventeen lanterns"
BASE_URL: Final = "https://auth.example.test"
# The real scheme at the least cost that it knows: tests hash thousands of passwords.
CHEAP: Final = Argon2id(8, 1, 1)
_PATIENCE: Final = 10.0


class Browser(httpx2.AsyncClient):
    """A client with cookies that sends the CSRF token back, as a page's script would.

    Args:
        kit: The engine that it talks to.
        ip: The address that it comes from.
        sends_csrf: Off to play a caller that does not know the token.
    """

    def __init__(self, kit: "Kit", ip: str = "192.0.2.10", *, sends_csrf: bool = True, **given: Any) -> None:
        transport = httpx2.ASGITransport(kit.engine.app, client=(ip, 40_000), raise_app_exceptions=False)
        given.setdefault("event_hooks", kit.event_hooks)
        super().__init__(transport=transport, base_url=kit.base_url, **given)
        self._csrf_name = kit.engine.app.edge.cookies.csrf
        self._sends_csrf = sends_csrf

    async def send(self, request: httpx2.Request, **given: Any) -> httpx2.Response:
        """Send a request, with the token if there is one."""
        token = self.cookies.get(self._csrf_name)
        if self._sends_csrf and token and "x-csrf-token" not in request.headers:
            request.headers["x-csrf-token"] = token
        return await super().send(request, **given)


class Kit:
    """A running engine with what a test wants to reach.

    Attributes:
        engine: The engine.
        clock: Turn it to let time pass.
        mailbox: What was mailed.
        event_hooks: httpx2's hooks, which every new browser gets: how a test watches all traffic.
    """

    def __init__(self, engine: Engine, clock: TurnedClock, mailbox: Mailbox, base_url: str) -> None:
        self.engine = engine
        self.clock = clock
        self.mailbox = mailbox
        self.base_url = base_url
        self.event_hooks: dict[str, list[Any]] = {}
        self._browsers: list[Browser] = []

    def browser(self, ip: str = "192.0.2.10", **given: Any) -> Browser:
        """A new browser; it is closed with the kit."""
        browser = Browser(self, ip, **given)
        self._browsers.append(browser)
        return browser

    async def mail_to(self, address: str, *, count: int = 1) -> dict[str, Any]:
        """The latest mail to an address, once there are `count` of them.

        Raises:
            AssertionError: they do not come within ten seconds.
        """
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while len(found := [mail for mail in self.mailbox.messages() if mail["to"] == address]) < count:
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"{len(found)} of {count} mails came to {address}")
            await asyncio.sleep(0.01)
        latest: dict[str, Any] = found[-1]
        return latest

    async def verification(self, address: str, *, count: int = 1) -> tuple[str, str]:
        """Token and code from the latest verification mail."""
        mail = await self.mail_to(address, count=count)
        token = re.search(r"[?&]token=([\w-]+)", mail["text"])
        code = re.search(r"^\s*(\d{6})\s*$", mail["text"], re.MULTILINE)
        if token is None or code is None:
            raise AssertionError(f"no verification mail: {mail['subject']}")
        return token[1], code[1]

    async def signed_up(self, address: str, password: str = PASSWORD, *, name: str = "") -> Browser:
        """Register and verify an account through the API.

        Returns:
            The browser that did it; not signed in.
        """
        browser = self.browser()
        answer = await browser.post(
            "/auth/register", json={"email": address, "password": password, "name": name}
        )
        answer.raise_for_status()
        token, _ = await self.verification(address)
        (await browser.post("/auth/email/verify", json={"token": token})).raise_for_status()
        return browser

    async def sign_in(self, address: str, password: str = PASSWORD, **given: Any) -> Browser:
        """Sign in with a new browser.

        Args:
            given: For `browser`.
        """
        browser = self.browser(**given)
        answer = await browser.post("/auth/login", json={"identifier": address, "password": password})
        answer.raise_for_status()
        return browser

    async def signed_in(self, address: str, password: str = PASSWORD, **given: Any) -> Browser:
        """A new account, and a browser signed in to it."""
        await self.signed_up(address, password)
        return await self.sign_in(address, password, **given)

    async def __aenter__(self) -> Self:
        await self.engine.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        for browser in self._browsers:
            await browser.aclose()
        await self.engine.stop()


def made(
    folder: Path,
    *,
    database: str | None = None,
    ribs: Sequence[Rib] = RIBS,
    clock: TurnedClock | None = None,
    root_secret: str | None = None,
    scheme: Scheme | None = CHEAP,
    declared: Declared | None = None,
    **settings: object,
) -> Kit:
    """As `running`, but not started: for hosts that start and stop it themselves, such as synchronous ones."""
    if database is None:
        file = folder / "ostiary.db"
        copy_to(file)
        database = f"sqlite:///{file}"
    clock = clock or TurnedClock()
    world = World(clock=clock)
    base_url = str(settings.pop("base_url", BASE_URL))
    given: dict[str, object] = {
        "database": database,
        "auto_migrate": True,
        "base_url": base_url,
        "root_secret": root_secret or base64.urlsafe_b64encode(world.bytes(32)).decode(),
        "mail_from": "no-reply@auth.example.test",
        "smtp_host": "mail.example.test",
        "outbox_poll": timedelta(milliseconds=200),
        **settings,
    }
    mailbox = Mailbox()
    engine = Engine(
        load(ribs, world, given), ribs, world, transport=mailbox, scheme=scheme, declared=declared
    )
    return Kit(engine, clock, mailbox, base_url)


@asynccontextmanager
async def running(
    folder: Path,
    *,
    database: str | None = None,
    ribs: Sequence[Rib] = RIBS,
    clock: TurnedClock | None = None,
    root_secret: str | None = None,
    scheme: Scheme | None = CHEAP,
    declared: Declared | None = None,
    **settings: object,
) -> AsyncIterator[Kit]:
    """A started engine with production's checks, cheap hashes and a mailbox.

    Args:
        folder: Where the SQLite file goes.
        database: Another database than that file; it is migrated.
        ribs: Other features than all.
        clock: A clock that several engines share.
        root_secret: For a second engine on the same database.
        scheme: Another cost of password hashes; None for what the settings say.
        declared: Roles and policies of a program.
        settings: Flat settings.
    """
    kit = made(
        folder,
        database=database,
        ribs=ribs,
        clock=clock,
        root_secret=root_secret,
        scheme=scheme,
        declared=declared,
        **settings,
    )
    async with kit:
        yield kit
