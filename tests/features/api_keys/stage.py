"""Owns what tests of API keys share: a program with roles, a host with guards, making keys and calling with them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from ostiary.core.access import access
from ostiary.core.access.authority import Declared
from ostiary.core.access.expression import principal, row
from ostiary.core.access.policy import Policy
from ostiary.core.access.roles import Role
from ostiary.core.api_keys.keys import ResolvedKey
from ostiary.core.change import Change
from ostiary.integrations.fastapi import (
    CsrfToken,
    CurrentApiKey,
    CurrentPrincipal,
    CurrentProfile,
    CurrentSession,
    CurrentStanding,
    CurrentUser,
    OptionalUser,
    Ostiary,
    requires,
    requires_fresh,
    requires_role,
)
from ostiary.kernel.origin import Origin
from ostiary.kernel.secret import Secret
from ostiary.protocols.api_key import write
from ostiary.testing import Browser, Kit, running
from tests.core.signin.stage import account_id, changed

ANNA = "anna@example.com"
DECLARED = Declared(
    (Role("editor", ("notes:*",), ("moderator",)), Role("reader", ("notes:read",))),
    (
        Policy("drafts:edit", row.author_id == principal.id, "authors edit their own drafts"),
        Policy("notes:burn", row.sealed == True, "nobody burns what is sealed", forbids=True),  # noqa: E712
    ),
)


@asynccontextmanager
async def keyed(folder: Path, **given: Any) -> AsyncIterator[Kit]:
    """A running engine with those roles."""
    async with running(folder, declared=DECLARED, **given) as kit:
        yield kit


async def owner(kit: Kit, *roles: str, address: str = ANNA) -> Browser:
    """Somebody who is signed in, with some roles."""
    browser = await kit.signed_in(address)
    anna = await account_id(kit, address)
    for role in roles:
        await give(kit, anna, role)
    return browser


async def give(kit: Kit, account: str, role: str, scope: str = "") -> None:
    """Give a role."""

    async def work(change: Change) -> None:
        await access.grant(change, account, role, "test", scope)

    await changed(kit, work)


async def take(kit: Kit, account: str, role: str) -> None:
    """Take a role."""

    async def work(change: Change) -> None:
        await access.revoke(change, account, role, "test")

    await changed(kit, work)


async def make(browser: Browser, *scopes: str, **given: Any) -> dict[str, Any]:
    """A new key."""
    answer = await ask(browser, *scopes, **given)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def ask(browser: Browser, *scopes: str, **given: Any) -> httpx2.Response:
    """Ask for a key."""
    return await browser.post("/auth/api-keys", json={"name": "Deploy", "scopes": scopes, **given})


async def resolve(kit: Kit, key: str, ip: str = "192.0.2.10") -> ResolvedKey:
    """Whom a key speaks for, or why it does not."""
    return await kit.engine.core.api_keys.resolve(Origin(ip), key)


def never_made(kit: Kit, key_id: str = "") -> str:
    """A key of the right form that nobody has; with somebody's id, if one is given."""
    world = kit.engine.core.world
    return write("ost", "live", key_id or world.id(), Secret(world.bytes(32))).text.reveal()


def moment(words: str) -> datetime:
    """A moment from an answer."""
    return datetime.fromisoformat(words).astimezone(UTC)


class Host:
    """An application whose routes stand behind every kind of guard.

    Args:
        kit: Its engine.
    """

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self.app = app = FastAPI()
        Ostiary(kit.engine).install(app)

        @app.get("/user")
        @app.post("/user")
        async def user(found: CurrentUser, profile: CurrentProfile) -> str:
            return f"{found.email} {profile.name}"

        @app.get("/maybe")
        async def maybe(found: OptionalUser, csrf: CsrfToken) -> str:
            return f"{found.email if found else 'nobody'} {csrf}"

        @app.get("/session")
        async def session(found: CurrentSession) -> str:
            return found.id

        @app.get("/who")
        async def who(found: CurrentPrincipal) -> dict[str, Any]:
            return {
                "account": found.account_id, "session": found.session_id, "key": found.api_key_id,
                "scopes": found.scopes, "amr": found.amr, "acr": found.acr,
            }  # fmt: skip

        @app.get("/key")
        async def key(found: CurrentApiKey) -> str:
            return found.name

        @app.get("/read", dependencies=[requires("notes:read")])
        async def read() -> str:
            return "read"

        @app.post("/write", dependencies=[requires("notes:read", "notes:write")])
        async def change() -> str:
            return "written"

        @app.get("/staff", dependencies=[requires_role("editor", "moderator", "user")])
        async def staff() -> str:
            return "staff"

        @app.get("/fresh", dependencies=[requires_fresh(15)])
        async def fresh() -> str:
            return "fresh"

        @app.get("/may/{asked}")
        async def may(asked: str, standing: CurrentStanding) -> bool:
            return standing.check(asked)

    def client(
        self, key: str = "", *, bearer: str = "", ip: str = "192.0.2.10", **headers: str
    ) -> httpx2.AsyncClient:
        """A program with a key."""
        given = dict(headers)
        if key:
            given["x-api-key"] = key
        if bearer:
            given["authorization"] = f"Bearer {bearer}"
        transport = httpx2.ASGITransport(self.app, client=(ip, 40_000), raise_app_exceptions=False)
        return httpx2.AsyncClient(transport=transport, base_url=self._kit.base_url, headers=given)


def code_of(answer: httpx2.Response) -> str:
    """The error code of an answer; "" for a success."""
    return "" if answer.is_success else str(answer.json()["code"])
