"""Owns the route of the revocation feed: a page of it at once, or when there is news."""

import asyncio
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.http.pages import query_of
from ostiary.http.problems import invalid
from ostiary.http.visit import visit_of
from ostiary.protocols.revocations import LONGEST_WAIT, MEDIA_TYPE

FEED_DOC: Final = {
    "tags": ["tokens"],
    "summary": "What is revoked",
    "description": "A signed page (`typ` `revocations+jwt`) of the revocation feed: at once, or within `wait` seconds "
    "as soon as there is news.",
    "parameters": [
        {
            "name": "after",
            "in": "query",
            "description": "`next` of the page before; nothing begins at the beginning.",
            "schema": {"type": "string"},
        },
        {
            "name": "wait",
            "in": "query",
            "description": "Seconds.",
            "schema": {"type": "integer", "minimum": 0, "maximum": 25, "default": 0},
        },
    ],
    "responses": {"200": {"description": "A page", "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
}
_SECONDS: Final = {str(seconds): seconds for seconds in range(LONGEST_WAIT // timedelta(seconds=1) + 1)}


async def revocations(request: Request) -> Response:
    """A page of the feed."""
    visit = visit_of(request.scope)
    feed = visit.edge.core.feed
    seconds = _SECONDS.get(query_of(request, "wait") or "0")
    if seconds is None:
        raise invalid([{"loc": ["query", "wait"], "message": "0 to 25 seconds", "type": "value_error"}])
    if not visit.may_wait:
        seconds = 0
    cursor = feed.cursor(query_of(request, "after"))
    polling = asyncio.create_task(feed.poll(cursor, visit.origin.network, timedelta(seconds=seconds)))
    leaving = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({polling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not polling.done():
            return Response(status_code=204)  # nobody is there to read it
        return Response(feed.written(*await polling), media_type=MEDIA_TYPE)
    finally:
        # Whoever left gives the place back at once; a statement under way is not cut.
        polling.cancel()
        leaving.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
