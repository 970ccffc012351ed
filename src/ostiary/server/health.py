"""Owns the probes: alive (the loop turns) and ready (the database answers)."""

import asyncio
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ostiary.core.keys import store
from ostiary.http.access import PUBLIC
from ostiary.http.routing import Hot
from ostiary.http.visit import visit_of
from ostiary.kernel.errors import Unavailable

_PATIENCE: Final = timedelta(seconds=2)


async def healthz(_: Request) -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n")


async def readyz(request: Request) -> Response:
    """The database answers, soon enough to be of use."""
    core = visit_of(request.scope).edge.core
    try:
        async with asyncio.timeout(_PATIENCE.total_seconds()):
            await core.database.one(store.ANY)
    except (Unavailable, TimeoutError):
        return PlainTextResponse("database does not answer\n", 503)
    return PlainTextResponse("ready\n")


ROUTES: Final = (
    Hot("/healthz", ("GET",), healthz, PUBLIC, is_probe=True),
    Hot("/readyz", ("GET",), readyz, PUBLIC, is_probe=True),
)
