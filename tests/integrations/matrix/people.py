"""Owns who visits the matrix: people with cookies and tokens in every state, and their clients over real HTTP."""

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final

import httpx2
import orjson

from ostiary.core.access import access
from ostiary.core.access.authority import Declared
from ostiary.core.accounts.accounts import Status
from ostiary.protocols import access_token
from ostiary.protocols.jose import jwt
from ostiary.testing import Browser, Kit
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import account_id, changed, set_status
from tests.integrations.matrix.subjects import ROLES
from tests.security.stage import drained
from tests.support.server import Server

BASE: Final = "https://auth.example.test"
DECLARED: Final = Declared(ROLES)


@dataclass
class Person:
    """Somebody with an account.

    Attributes:
        cookies: What the browser holds.
        token: An access token of another session.
        key: An API key, with the scopes of its account's role.
        dead_key: One that was revoked.
    """

    id: str
    email: str
    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""
    key: str = ""
    dead_key: str = ""

    @property
    def csrf(self) -> dict[str, str]:
        """The proof that a script sends."""
        return {"x-csrf-token": self.cookies["__Host-ostiary-csrf"]}

    @property
    def bearer(self) -> dict[str, str]:
        """The header of a program."""
        return {"authorization": f"Bearer {self.token}"}


class People:
    """Everybody that the rows need; `prepare` makes them.

    Attributes:
        door: Held while somebody signs in: tries at the same time count as failures until they are judged.
    """

    def __init__(self) -> None:
        self.door = asyncio.Lock()

    anna: Person  # signed in just now, without any role
    bert: Person  # likewise; an editor
    stale: Person  # signed in twenty minutes ago
    late: Person  # whose session and token have expired
    revoked: Person  # who signed out, and whose tokens were ended
    disabled: Person  # whose account was disabled meanwhile
    elsewhere: Person  # whose token is good, but for somebody else


async def prepare(kit: Kit, people: People) -> None:
    """Make everybody; the kit's clock ends at the real time."""
    kit.clock.turn(timedelta(hours=-9))
    people.late = await _person(kit, "late")
    kit.clock.turn(timedelta(hours=8, minutes=40))
    people.stale = await _person(kit, "stale")
    kit.clock.turn(timedelta(minutes=20))
    people.anna = await _person(kit, "anna")
    people.bert = await _person(kit, "bert")
    await changed(kit, lambda change: access.grant(change, people.bert.id, "editor", "test"))
    people.anna.key, _ = await _key(kit, people.anna)
    people.bert.key, _ = await _key(kit, people.bert, "reports:read")
    people.bert.dead_key, ends = await _key(kit, people.bert, "reports:read")
    browser = kit.browser(cookies=people.bert.cookies)
    (await browser.delete(f"/auth/api-keys/{ends}")).raise_for_status()
    people.revoked = await _person(kit, "revoked")
    leaving = kit.browser()
    for headers, cookies in (({}, people.revoked.cookies), (people.revoked.bearer, {})):
        leaving.cookies = httpx2.Cookies(cookies)
        (await leaving.post("/auth/logout", headers=headers)).raise_for_status()
    people.disabled = await _person(kit, "disabled")
    await set_status(kit, people.disabled.id, Status.DISABLED)
    people.elsewhere = await _person(kit, "elsewhere")
    people.elsewhere.token = _for_somebody_else(kit, people.elsewhere.token)
    await drained(kit)


async def _person(kit: Kit, name: str) -> Person:
    email = f"{name}@example.com"
    browser: Browser = await kit.signed_in(email)
    body = {"identifier": email, "password": PASSWORD, "delivery": "tokens"}
    pair = (await kit.browser().post("/auth/login", json=body)).json()
    return Person(await account_id(kit, email), email, dict(browser.cookies), pair["access_token"])


async def _key(kit: Kit, owner: Person, *scopes: str) -> tuple[str, str]:
    """A new API key, and its id."""
    browser = kit.browser(cookies=owner.cookies)
    made = (
        (await browser.post("/auth/api-keys", json={"name": "Matrix", "scopes": scopes}))
        .raise_for_status()
        .json()
    )
    return made["key"], made["id"]


def _for_somebody_else(kit: Kit, token: str) -> str:
    """The same claims, signed with the same key, for another audience."""
    middle = token.split(".")[1]
    claims = orjson.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return jwt.write(
        kit.engine.core.signing.current, claims | {"aud": "https://api.example.com"}, access_token.TYPE
    )


class _Proxy(httpx2.AsyncBaseTransport):
    """The way from the public address to a server on loopback, as the operator's proxy goes it."""

    def __init__(self, port: int, ip: str) -> None:
        self._inner = httpx2.AsyncHTTPTransport()
        self._port = port
        self._ip = ip.encode()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Pass it on."""
        return await self._inner.handle_async_request(
            httpx2.Request(
                request.method,
                request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port),
                headers=[
                    *request.headers.raw,
                    (b"x-forwarded-proto", b"https"),
                    (b"x-forwarded-for", self._ip),
                ],
                stream=request.stream,
                extensions=request.extensions,
            )
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class At:
    """A subject that runs, and who visits it.

    Args:
        name: The subject's.
        people: Who visits.
        number: Of the subject; its networks are its own, since all share one database.
        way: From the address of a client to its way to the subject.
    """

    def __init__(
        self, name: str, people: People, number: int, way: Callable[[str], httpx2.AsyncBaseTransport]
    ) -> None:
        self.name = name
        self.people = people
        self._number = number
        self._way = way
        self._clients: list[httpx2.AsyncClient] = []

    def client(
        self, who: Person | None = None, network: str = "198.51.100", **given: Any
    ) -> httpx2.AsyncClient:
        """A browser of somebody's, or of nobody's; it is closed with the subject."""
        client = httpx2.AsyncClient(
            base_url=BASE,
            transport=self._way(f"{network}.{self._number}"),
            cookies=dict(who.cookies) if who else None,
            timeout=60,
            **given,
        )
        self._clients.append(client)
        return client

    async def aclose(self) -> None:
        """Close the clients."""
        for client in self._clients:
            await client.aclose()


class Served(At):
    """A subject in a process of its own.

    Args:
        server: The process.
    """

    def __init__(self, name: str, people: People, number: int, server: Server) -> None:
        port = int(server.url.rpartition(":")[2])
        super().__init__(name, people, number, partial(_Proxy, port))
        self._server = server

    async def ready(self) -> None:
        """Wait until it answers; several start at the same time."""
        await self._server.ready("/", patience=240)

    async def aclose(self) -> None:
        """Close the clients and end the process."""
        await super().aclose()
        if self._server.process.poll() is None:
            self._server.process.kill()
        await self._server.ended()

    @property
    def said(self) -> str:
        """The server's log."""
        return self._server.said
