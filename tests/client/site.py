"""Owns an issuer and a service behind one real port: it rotates tokens, and counts what is asked of it."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ostiary.client import Tokens
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from tests.support.ports import free_port

GRACE = 10.0
PATIENCE = 20.0


@dataclass
class Site:
    """One user's tokens, as the issuer and a service know them.

    Attributes:
        lasts: Seconds that an access token lasts.
        delay: Seconds that a refresh takes.
        refusal: The code with which the service refuses a token that it does not know.
        answers: Refreshes are answered with these instead, one after the other.
        loses: So many answers are lost on the way, after the tokens were exchanged.
    """

    port: int = field(default_factory=free_port)
    lasts: int = 900
    delay: float = 0.05
    refusal: str = "token_expired"
    answers: list[Response] = field(default_factory=list)
    loses: int = 0
    refreshes: int = 0
    generation: int = 1
    asked: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    previous_until: float = 0.0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def tokens(self) -> Tokens:
        """The pair in force."""
        return Tokens.read(self._pair(), World().now())

    def _pair(self) -> dict[str, Any]:
        return {
            "access_token": f"access-{self.generation}", "refresh_token": f"refresh-{self.generation}",
            "token_type": "Bearer", "expires_in": self.lasts,
        }  # fmt: skip

    async def refresh(self, request: Request) -> Response:
        """Exchange the pair; the one before it is good for the same successor for a moment, and then a theft."""
        self.refreshes += 1
        body = await request.json()
        assert body.keys() == {"refresh_token"}
        await asyncio.sleep(self.delay)
        if self.answers:
            return self.answers.pop(0)
        if body["refresh_token"] == f"refresh-{self.generation}":
            self.generation += 1
            self.previous_until = time.monotonic() + GRACE
        elif (
            body["refresh_token"] != f"refresh-{self.generation - 1}"
            or time.monotonic() > self.previous_until
        ):
            return JSONResponse({"code": "refresh_token_reused"}, 401)
        if self.loses:
            self.loses -= 1
            return Response(
                status_code=200, headers={"content-length": "500"}
            )  # uvicorn breaks the connection
        return JSONResponse(self._pair())

    async def notes(self, request: Request) -> Response:
        """A service that knows the access token of the moment."""
        sent = request.headers.get("authorization", "")
        self.asked.append(sent)
        self.bodies.append(await request.body())
        if sent != f"Bearer access-{self.generation}":
            return JSONResponse({"code": self.refusal}, 401)
        return JSONResponse({"notes": []})

    async def other(self, request: Request) -> Response:
        """A place that is not to see the token."""
        self.seen.append(request.headers.get("authorization", ""))
        return JSONResponse({})

    def forget(self) -> None:
        """Make the access token of the moment one that the service refuses."""
        self.generation += 1
        self.previous_until = time.monotonic() + GRACE

    def app(self) -> Starlette:
        """The whole site."""
        return Starlette(
            routes=[
                Route("/auth/refresh", self.refresh, methods=["POST"]),
                Route("/notes", self.notes, methods=["GET", "POST"]),
                Route("/other", self.other),
            ]
        )


@contextmanager
def serving(site: Site | None = None) -> Iterator[Site]:
    """A site that listens, in a thread."""
    site = site or Site()
    server = uvicorn.Server(
        uvicorn.Config(site.app(), port=site.port, log_level="critical", lifespan="off", ws="none")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE
    while not server.started:
        assert time.monotonic() < deadline, "the site does not start"
        time.sleep(0.005)
    try:
        yield site
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


class Store:
    """Where an application keeps tokens.

    Attributes:
        kept: Every pair that was saved, in order.
        fails: So many times saving fails.
    """

    def __init__(self) -> None:
        self.kept: list[Tokens] = []
        self.fails = 0

    def save(self, tokens: Tokens) -> None:
        """Keep a pair."""
        if self.fails:
            self.fails -= 1
            raise OSError("the disk is full")
        self.kept.append(tokens)

    async def save_async(self, tokens: Tokens) -> None:
        """Keep a pair, with a pause as a database makes."""
        await asyncio.sleep(0.01)
        self.save(tokens)


def old(tokens: Tokens, world: World) -> Tokens:
    """The same pair, its access token over."""
    return Tokens(Secret("stale"), tokens.refresh_token, world.now())
