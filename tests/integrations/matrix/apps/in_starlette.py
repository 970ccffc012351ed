"""The matrix's application in Starlette."""

from itertools import count
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from ostiary.integrations.starlette import (
    Guarded,
    Ostiary,
    current_user,
    rate_limit,
    requires,
    requires_fresh,
    requires_role,
    signed_in,
)
from tests.integrations.matrix.subjects import PUBLIC, ROLES

notes: dict[str, dict[str, str]] = {}
numbers = count(1)


def fine(request: Request) -> Response:
    """Whoever gets here is told so."""
    return PlainTextResponse("fine")


@rate_limit("3/h")
def limited(request: Request) -> Response:
    """Three an hour."""
    return PlainTextResponse("fine")


@rate_limit("2/h", by="account")
async def own_limit(request: Request) -> Response:
    """Two an hour."""
    return PlainTextResponse("fine")


async def me(request: Request) -> Response:
    """Asking is a guard."""
    user = await current_user(request)
    return JSONResponse({"id": user.id, "email": user.email})


async def mine(request: Request) -> Response:
    """One's own."""
    user = await current_user(request)
    return JSONResponse([note for note in notes.values() if note["owner"] == user.id])


@signed_in()
async def write(request: Request) -> Response:
    """Write one."""
    user = await current_user(request)
    note = {"id": str(next(numbers)), "owner": user.id, "words": (await request.json())["words"]}
    notes[note["id"]] = note
    return JSONResponse(note, 201)


async def one(request: Request) -> Response:
    """One's own, or nothing."""
    user = await current_user(request)
    note = notes.get(request.path_params["number"])
    if note is None or note["owner"] != user.id:
        return JSONResponse({"detail": "no such note"}, 404)
    return JSONResponse(note)


@signed_in()
async def form(request: Request) -> Response:
    """Reads the body itself."""
    return PlainTextResponse(parse_qs((await request.body()).decode())["words"][0])


api = [
    Route("/me", me),
    Route("/notes", mine),
    Route("/notes", write, methods=["POST"]),
    Route("/notes/{number}", one),
    Route("/form", form, methods=["POST"]),
    Route("/reports", requires("reports:read")(fine)),
    Route("/staff", requires_role("editor")(fine)),
    Route("/fresh", requires_fresh(15)(fine)),
    Route("/limited", limited),
    Route("/own-limit", own_limit),
]
app = Starlette(
    routes=[Route("/", fine), Mount("/api", routes=api), Route("/inside/{rest:path}", fine)],
    middleware=[Middleware(Guarded, public=PUBLIC)],
)
Ostiary.from_env(roles=ROLES).install(app)
