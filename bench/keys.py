"""Owns what a guard costs that takes an API key, beside the same guard with a session cookie, in one process."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from starlette.types import Message, Scope

from ostiary.core.access import access
from ostiary.core.access.authority import Declared
from ostiary.core.access.roles import Role
from ostiary.core.accounts import accounts
from ostiary.core.change import Change
from ostiary.integrations.fastapi import CurrentPrincipal, Ostiary, requires
from ostiary.kernel.origin import Origin
from ostiary.testing import Kit, running

_CALLS: Final = 300
_ANNA: Final = "anna@example.com"
Headers = list[tuple[bytes, bytes]]


def guarding(rounds: int) -> Iterator[tuple[str, list[float]]]:
    """CPU microseconds for each request to a FastAPI route, a value per round, on SQLite; all take turns.

    Without a server and without HTTP around it: what is compared is the guards.
    """
    yield from asyncio.run(_measure(rounds)).items()


async def _measure(rounds: int) -> dict[str, list[float]]:
    declared = Declared((Role("editor", ("notes:*",)),))
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder), declared=declared) as kit:
            cookie, key = await _credentials(kit)
            app = _host(kit)
            by_cookie, by_key = [(b"cookie", cookie.encode())], [(b"x-api-key", key.encode())]
            wrong = [(b"x-api-key", f"{key[:-1]}{'0' if key[-1] != '0' else '1'}".encode())]
            named: dict[str, tuple[str, Headers, int]] = {
                "a route without a guard, CPU µs": ("/open", [], 200),
                "who asks, by a session cookie": ("/who", by_cookie, 200),
                "who asks, by an API key": ("/who", by_key, 200),
                "a permission, by a session cookie": ("/may", by_cookie, 200),
                "a permission, by an API key": ("/may", by_key, 200),
                "a mistyped API key": ("/who", wrong, 401),
            }
            took: dict[str, list[float]] = {name: [] for name in named}
            for _ in range(rounds + 1):
                for name, (path, headers, status) in named.items():
                    begun = time.process_time()
                    for _ in range(_CALLS):
                        await _call(app, path, headers, status)
                    took[name].append((time.process_time() - begun) / _CALLS * 1e6)
            return {name: values[1:] for name, values in took.items()}  # the first round warms up


async def _credentials(kit: Kit) -> tuple[str, str]:
    """A session cookie and an API key of an account with a role."""
    browser = await kit.signed_in(_ANNA)
    owner = await accounts.find(kit.engine.core.database, _ANNA)
    assert owner is not None
    account_id = owner.account_id

    async def give(change: Change) -> None:
        await access.grant(change, account_id, "editor", "bench")

    async with kit.engine.core.runner.flow(Origin()) as flow:
        await flow.change(give)
    made = await browser.post("/auth/api-keys", json={"name": "bench", "scopes": ["notes:read"]})
    made.raise_for_status()
    name = kit.engine.app.edge.cookies.session
    return f"{name}={browser.cookies[name]}", made.json()["key"]


def _host(kit: Kit) -> FastAPI:
    app = FastAPI()
    Ostiary(kit.engine).install(app)

    @app.get("/open")
    async def unguarded() -> dict[str, str]:
        return {}

    @app.get("/who")
    async def who(principal: CurrentPrincipal) -> dict[str, str]:
        return {"id": principal.account_id}

    @app.get("/may", dependencies=[requires("notes:read")])
    async def may() -> dict[str, str]:
        return {}

    return app


async def _call(app: FastAPI, path: str, headers: Headers, wanted: int) -> None:
    scope: Scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "https",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
        "client": ("192.0.2.10", 40_000), "server": ("auth.example.test", 443),
    }  # fmt: skip
    status: list[Any] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    await app(scope, receive, send)
    assert status == [wanted], (path, status)
