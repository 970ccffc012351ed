"""A small notes application. ostiary registers people, signs them in, and stands around everything but the first page.

make notes-starlette, or: uvicorn examples.starlette_notes.app:app
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from examples.fastapi_notes.store import Note, Notes
from ostiary.integrations.starlette import (
    Guarded,
    Ostiary,
    SecurityHeaders,
    current_user,
    optional_user,
    rate_limit,
    requires_fresh,
)

# Where the data lies, and where browsers find this application. Links in mails and the origin check follow the URL.
DATA = Path(os.environ.get("NOTES_DATA", ".data-notes-starlette"))
URL = os.environ.get("NOTES_URL", "http://127.0.0.1:8000")
DATA.mkdir(mode=0o700, parents=True, exist_ok=True)

# ostiary owns a database file of its own, and so does this application. Table, pages and script are the FastAPI
# example's: all that differs is here.
auth = Ostiary(database=f"sqlite:///{DATA / 'ostiary.db'}", base_url=URL, dev=True)
notes = Notes(DATA / "notes.db")
templates = Jinja2Templates(Path(__file__).parents[1] / "fastapi_notes")  # Jinja escapes: markup stays text
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


# Pages. Whoever comes to the second one without being signed in has been led to the sign-in page by the guard.


async def welcome(request: Request) -> Response:
    """What everybody sees."""
    return page(request, "welcome.html", user=await optional_user(request))


async def overview(request: Request) -> Response:
    """My notes."""
    user = await current_user(request)
    return page(request, "notes.html", user=user, notes=await run_in_threadpool(notes.of, user.id))


def page(request: Request, template: str, **context: object) -> Response:
    """A page whose policy lets only its own script and style run."""
    context["nonce"] = request.state.csp_nonce
    return templates.TemplateResponse(request, template, context, headers={"cache-control": "no-store"})


# The API. Nothing of it runs for strangers, nor for a call with a cookie and without the CSRF token.


class AllNotes(HTTPEndpoint):
    """My notes."""

    async def get(self, request: Request) -> Response:
        """The newest first."""
        mine = await run_in_threadpool(notes.of, (await current_user(request)).id)
        return JSONResponse([asdict(note) for note in mine])

    @rate_limit("60/m", by="account")
    async def post(self, request: Request) -> Response:
        """Write a note; its author is nobody's to choose."""
        title, body = draft(await request.body())
        note = await run_in_threadpool(notes.write, (await current_user(request)).id, title, body)
        return JSONResponse(asdict(note), 201)

    @requires_fresh(15)
    async def delete(self, request: Request) -> Response:
        """Delete all; only within 15 minutes of signing in, should the computer have been left unlocked."""
        count = await run_in_threadpool(notes.delete_all, (await current_user(request)).id)
        return JSONResponse({"deleted": count})


class OneNote(HTTPEndpoint):
    """A note of the caller's. Somebody else's is 404 and not 403, so that ids tell nothing."""

    async def get(self, request: Request) -> Response:
        """Read it."""
        return JSONResponse(asdict(await own_note(request)))

    async def delete(self, request: Request) -> Response:
        """Delete it."""
        note = await own_note(request)
        await run_in_threadpool(notes.delete, note.author_id, note.id)
        return Response(status_code=204)


async def own_note(request: Request) -> Note:
    """The note that the path names, if it is the caller's."""
    user = await current_user(request)
    note = await run_in_threadpool(notes.one, user.id, request.path_params["note_id"])
    if note is None:
        raise HTTPException(404, "There is no such note.")
    return note


def draft(body: bytes) -> tuple[str, str]:
    """Title and text of a note as a caller sends it; anything else in it is refused."""
    try:
        given = json.loads(body)
    except ValueError:
        raise HTTPException(400, "The body is no JSON.") from None
    if not isinstance(given, dict) or given.keys() - {"title", "body"}:
        raise HTTPException(422, "A note has a title and a body.")
    title, text = given.get("title"), given.get("body", "")
    if (
        not isinstance(title, str)
        or not isinstance(text, str)
        or not 0 < len(title) <= 200
        or len(text) > 20_000
    ):
        raise HTTPException(422, "A note has a title of up to 200 letters, and a text of up to 20000.")
    return title, text


async def problem(request: Request, error: Exception) -> Response:
    """The application's own errors, for the page's script."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, error.status_code)


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """The application's own start and end; ostiary starts before it and ends after it."""
    notes.prepare()
    yield


app = Starlette(
    routes=[
        Route("/", welcome),
        Route("/notes", overview),
        Route("/api/notes", AllNotes),
        Route("/api/notes/{note_id}", OneNote),
    ],
    middleware=[Middleware(SecurityHeaders, csp=POLICY), Middleware(Guarded, public=["/"])],
    exception_handlers={HTTPException: problem},
    lifespan=lifespan,
)
auth.install(app)
