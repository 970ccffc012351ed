"""Owns the yardsticks: the least that can be answered by the same uvicorn, in plain ASGI, Starlette and FastAPI."""

import sys
from typing import Final

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

NAMES: Final = ("asgi", "starlette", "fastapi")
_HELLO: Final = {"hello": "world"}


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    """The least that an ASGI app can do."""
    if scope["type"] != "http":
        return
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})


async def _starlette(_: Request) -> JSONResponse:
    return JSONResponse(_HELLO)


class _Hello(BaseModel):
    hello: str


async def _fastapi() -> _Hello:
    return _Hello(hello="world")


def app_named(name: str) -> ASGIApp:
    """The app behind a name."""
    if name == "asgi":
        return plain
    if name == "starlette":
        return Starlette(routes=[Route("/", _starlette)])
    api = FastAPI(openapi_url=None)
    api.get("/")(_fastapi)
    return api


def config(app: ASGIApp, port: int, *, lifespan: bool = False) -> uvicorn.Config:
    """uvicorn as `ostiary serve` sets it up."""
    return uvicorn.Config(
        app, host="127.0.0.1", port=port, log_config=None, access_log=False, lifespan="on" if lifespan else "off",
        proxy_headers=False, server_header=False, date_header=True, timeout_graceful_shutdown=15,
    )  # fmt: skip


if __name__ == "__main__":
    uvicorn.Server(config(app_named(sys.argv[1]), int(sys.argv[2]))).run()
