"""The matrix's application in FastAPI."""

from itertools import count
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import Body, FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse

from ostiary.integrations.fastapi import (
    CurrentUser,
    Guarded,
    Ostiary,
    rate_limit,
    requires,
    requires_fresh,
    requires_role,
    signed_in,
)
from tests.integrations.matrix.subjects import PUBLIC, ROLES

app = FastAPI()
app.add_middleware(Guarded, public=PUBLIC)
Ostiary.from_env(roles=ROLES).install(app)
notes: dict[str, dict[str, str]] = {}
numbers = count(1)


@app.get("/")
async def home() -> str:
    """For everybody."""
    return "home"


@app.get("/api/me")
def me(user: CurrentUser) -> dict[str, Any]:
    """In a thread."""
    return {"id": user.id, "email": user.email}


@app.get("/api/notes")
async def mine(user: CurrentUser) -> list[dict[str, str]]:
    """One's own."""
    return [note for note in notes.values() if note["owner"] == user.id]


@app.post("/api/notes", status_code=201)
async def write(words: Annotated[str, Body(embed=True)], user: CurrentUser) -> dict[str, str]:
    """Write one."""
    note = {"id": str(next(numbers)), "owner": user.id, "words": words}
    notes[note["id"]] = note
    return note


@app.get("/api/notes/{number}")
async def one(number: str, user: CurrentUser) -> dict[str, str]:
    """One's own, or nothing."""
    note = notes.get(number)
    if note is None or note["owner"] != user.id:
        raise HTTPException(404, "no such note")
    return note


@app.post("/api/form", dependencies=[signed_in()])
async def form(request: Request) -> PlainTextResponse:
    """Reads the body itself."""
    return PlainTextResponse(parse_qs((await request.body()).decode())["words"][0])


@app.get("/api/reports", dependencies=[requires("reports:read")])
@app.get("/api/staff", dependencies=[requires_role("editor")])
@app.get("/api/fresh", dependencies=[requires_fresh(15)])
@app.get("/inside/{rest:path}")
async def fine() -> str:
    """Whoever gets here is told so."""
    return "fine"


@app.get("/api/limited", dependencies=[rate_limit("3/h")])
async def limited() -> str:
    """Three an hour."""
    return "fine"


@app.get("/api/own-limit", dependencies=[rate_limit("2/h", by="account")])
async def own_limit() -> str:
    """Two an hour."""
    return "fine"
