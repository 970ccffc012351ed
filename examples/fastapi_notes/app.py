"""A small notes application. ostiary registers people and signs them in; everything about notes is here.

make notes, or: uvicorn examples.fastapi_notes.app:app
"""

import os
import secrets  # noqa: TID251 - only ostiary itself takes chance from its World
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import Response
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel, ConfigDict, Field

from examples.fastapi_notes.store import Note, Notes, log
from ostiary.integrations.fastapi import (
    CurrentPrincipal,
    CurrentUser,
    OptionalUser,
    Ostiary,
    SecurityHeaders,
    rate_limit,
    requires_fresh,
)

# Where the data lies, and where browsers find this application. Links in mails and the origin check follow the URL.
DATA = Path(os.environ.get("NOTES_DATA", ".data-notes"))
URL = os.environ.get("NOTES_URL", "http://127.0.0.1:8000")
DATA.mkdir(mode=0o700, parents=True, exist_ok=True)

# ostiary owns a database file of its own, and so does this application.
auth = Ostiary(database=f"sqlite:///{DATA / 'ostiary.db'}", base_url=URL, dev=True)
notes = Notes(DATA / "notes.db")


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """The application's own start and end; ostiary starts before it and ends after it."""
    notes.prepare()
    yield


app = FastAPI(title="Notes", lifespan=lifespan)
app.add_middleware(SecurityHeaders, csp="")  # what answers lack; the pages have policies of their own
auth.install(app)
templates = Jinja2Templates(Path(__file__).parent)  # Jinja escapes: markup in a title stays text


# Pages. Browsers that are not signed in are led to the sign-in page; who asks for an OptionalUser shows strangers more.


@app.get("/", include_in_schema=False)
def welcome(request: Request, user: OptionalUser) -> Response:
    """What everybody sees."""
    return page(request, "welcome.html", user=user)


@app.get("/notes", include_in_schema=False)
def overview(request: Request, user: CurrentUser) -> Response:
    """My notes. Whoever is not signed in goes to sign in, and then comes back."""
    return page(request, "notes.html", user=user, notes=notes.of(user.id))


def page(request: Request, template: str, **context: object) -> Response:
    """A page whose policy lets only its own script and style run."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {"content-security-policy": policy, "cache-control": "no-store"}
    return templates.TemplateResponse(request, template, {**context, "nonce": nonce}, headers=headers)


# The API. CurrentUser answers 401 before anything below it runs, and 403 to a call without the CSRF token.


class Draft(BaseModel):
    """What a caller may say about a note; its author is nobody's to choose."""

    model_config = ConfigDict(extra="forbid")
    title: str = Field(min_length=1, max_length=200)
    body: str = Field(default="", max_length=20_000)


def own_note(note_id: str, user: CurrentUser) -> Note:
    """A note of the caller's. Somebody else's is 404 and not 403, so that ids tell nothing."""
    note = notes.one(user.id, note_id)
    if note is None:
        raise HTTPException(404, "There is no such note.")
    return note


OwnNote = Annotated[Note, Depends(own_note)]


@app.get("/api/notes")
def list_notes(user: CurrentUser) -> list[Note]:
    """My notes, the newest first."""
    return notes.of(user.id)


@app.post("/api/notes", status_code=201, dependencies=[rate_limit("60/m", by="account")])
def write_note(draft: Draft, user: CurrentUser) -> Note:
    """Write a note."""
    return notes.write(user.id, draft.title, draft.body)


@app.get("/api/notes/{note_id}")
def read_note(note: OwnNote) -> Note:
    """Read a note."""
    return note


@app.delete("/api/notes/{note_id}", status_code=204)
def delete_note(note: OwnNote) -> None:
    """Delete a note."""
    notes.delete(note.author_id, note.id)


@app.delete("/api/notes", dependencies=[requires_fresh(15)])
def delete_all_notes(who: CurrentPrincipal) -> dict[str, int]:
    """Delete all my notes; only within 15 minutes of signing in, should the computer have been left unlocked."""
    count = notes.delete_all(who.account_id)
    log.info("%s, signed in by %s, deleted all %d notes", who.account_id, "+".join(who.amr), count)
    return {"deleted": count}
