"""Owns a person at a browser: what they do, and a watch on everything that goes wrong while they do it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response

from ostiary.testing.kit import PASSWORD
from tests.support.server import Server, mail_to

PATIENCE: Final = 20_000  # milliseconds
FIREFOX: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
# A page that was refused is loaded all the same; Chromium notes its status on the console.
_STATUS: Final = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")
# Violations reach the console in words of their own; this says which directive and what.
_WATCH: Final = """addEventListener("securitypolicyviolation", (event) =>
  console.error("policy: " + event.violatedDirective + " " + event.blockedURI + " " + event.sample));"""


class Person:
    """Somebody with a browser of their own.

    Attributes:
        page: The tab.
        troubles: Console errors, exceptions, failed requests, dialogs, policy violations, requests that leave.
    """

    def __init__(self, context: BrowserContext, page: Page, url: str) -> None:
        self.context = context
        self.page = page
        self.url = url
        self.troubles: list[str] = []
        self._refused: set[str] = set()
        self._consoled: list[str] = []
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.troubles.append(f"exception: {error.error}"))
        context.on("requestfailed", self._failed)
        context.on("request", self._asked)
        context.on("response", self._answered)
        context.on("dialog", self._interrupted)

    def _heard(self, message: ConsoleMessage) -> None:
        status = _STATUS.match(message.text)
        if status and message.location["url"] in self._refused:
            return
        if message.type in ("error", "warning", "assert") or "[DOM]" in message.text:
            self.troubles.append(f"console: {message.text} at {message.location['url']}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.url + "/", "data:")):
            self.troubles.append(f"left: {request.url}")

    def _failed(self, request: Request) -> None:
        # Chromium drops the icon of a page that is left at once, and what it asks passkeys for, and calls a download a
        # page that did not load.
        dropped = (".svg", "/account/export", "/auth/passkeys/login/options")
        if request.failure != "net::ERR_ABORTED" or not request.url.endswith(dropped):
            self.troubles.append(f"failed: {request.url} {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            if response.request.is_navigation_request():
                self._refused.add(response.url)
            else:
                self.troubles.append(f"missing: {response.status} {response.url}")

    async def _interrupted(self, dialog: Any) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    # What people do.

    async def open(self, path: str) -> int:
        """Type an address, or follow a link from elsewhere; returns the status."""
        answer = await self.page.goto(path, wait_until="load")
        assert answer is not None
        return answer.status

    async def fill(self, label: str, words: str) -> None:
        """Type into the field with this label."""
        await self.page.get_by_label(label, exact=True).fill(words)

    async def press(self, name: str, *, role: Any = "button") -> None:
        """Press the button, or follow the link, with exactly this name in the main part; wait for the next page."""
        async with self.page.expect_event("load"):
            await self.page.get_by_role("main").get_by_role(role, name=name, exact=True).click()

    @property
    def path(self) -> str:
        """Where they are, without the query."""
        return urlsplit(self.page.url).path

    async def heading(self) -> str:
        """What the page is about."""
        return await self.page.get_by_role("heading", level=1).inner_text()

    async def text(self) -> str:
        """Everything that can be read in the main part."""
        return await self.page.get_by_role("main").inner_text()

    async def focused(self) -> str:
        """The id of the element that has the focus, or its words."""
        words: str = await self.page.evaluate(
            "document.activeElement.id || document.activeElement.innerText.trim()"
        )
        return words

    async def sign_up(self, email: str, *, name: str = "", password: str = PASSWORD) -> None:
        """Fill in the sign-up page and send it."""
        await self.open("/signup")
        await self.fill("Your name (optional)", name)
        await self.fill("E-mail address", email)
        await self.fill("Password", password)
        await self.press("Create account")

    async def sign_in(self, email: str, password: str = PASSWORD) -> None:
        """Fill in the sign-in page, going there first unless it is open, and send it."""
        if self.path != "/login":
            await self.open("/login")
        await self.fill("E-mail address", email)
        await self.fill("Password", password)
        await self.press("Sign in")


@asynccontextmanager
async def sitting(browser: Browser, url: str, **given: Any) -> AsyncIterator[Person]:
    """A person with a browser that knows nothing yet; at the end nothing may have gone wrong.

    Args:
        url: The origin that no request may leave.
        given: For the context, such as `java_script_enabled`.
    """
    context = await browser.new_context(base_url=url, **given)
    context.set_default_timeout(PATIENCE)
    await context.add_init_script(_WATCH)
    person = Person(context, await context.new_page(), url)
    try:
        yield person
        if person.troubles:
            raise AssertionError("in the browser: " + "; ".join(person.troubles))
    finally:
        await context.close()


async def account(server: Server, email: str, *, name: str = "", is_proven: bool = True) -> None:
    """An account, made through the API."""
    async with server.client() as client:
        body = {"email": email, "password": PASSWORD, "name": name}
        (await client.post("/auth/register", json=body)).raise_for_status()
        if is_proven:
            proof = {"token": await link_token(server, email)}
            (await client.post("/auth/email/verify", json=proof)).raise_for_status()


async def link_token(server: Server, email: str, *, count: int = 1) -> str:
    """The token of the link in the latest mail to an address."""
    mail = await mail_to(server, email, count=count)
    token: str = mail["links"][0].partition("token=")[2]
    return token


async def code_for(server: Server, email: str) -> str:
    """The six digits in the latest mail to an address."""
    found = re.search(r"^\s*(\d{6})\s*$", (await mail_to(server, email))["text"], re.MULTILINE)
    assert found is not None
    return found[1]
