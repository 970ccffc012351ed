"""Owns the host applications whose guards are measured: the same three routes in each framework, beside ostiary."""

import os
import sys
from collections.abc import Callable
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bench.yardsticks import config
from ostiary.integrations import fastapi, starlette

ROLES: Final = (fastapi.Role("reader", ("notes:read",)),)
_HELLO: Final = {"hello": "world"}


def _in_fastapi(settings: dict[str, Any]) -> FastAPI:
    app = FastAPI(openapi_url=None)

    async def hello() -> dict[str, str]:
        return _HELLO

    app.get("/bare")(hello)
    app.get("/user", dependencies=[fastapi.signed_in()])(hello)
    app.get("/may", dependencies=[fastapi.requires("notes:read")])(hello)
    fastapi.Ostiary(roles=ROLES, **settings).install(app)
    return app


def _in_starlette(settings: dict[str, Any]) -> Starlette:
    async def hello(_: Request) -> Response:
        return JSONResponse(_HELLO)

    app = Starlette(
        routes=[
            Route("/bare", hello),
            Route("/user", starlette.signed_in()(hello)),
            Route("/may", starlette.requires("notes:read")(hello)),
        ]
    )
    starlette.Ostiary(roles=ROLES, **settings).install(app)
    return app


HOSTS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "fastapi": _in_fastapi,
    "starlette": _in_starlette,
}


def main(name: str, port: int) -> None:
    """Serve one until told to stop."""
    settings = {
        "data": os.environ["OSTIARY_DATA"],
        "dev": True,
        "default_role": "reader",
        "base_url": f"http://127.0.0.1:{port}",
    }
    uvicorn.Server(config(HOSTS[name](settings), port, lifespan=True)).run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
