"""Owns a small app on the real plumbing: real keyring, fake sessions, routes that note that they ran."""

import asyncio
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Annotated, Any, cast

import httpx2
from fastapi import APIRouter
from pydantic import EmailStr, Field
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ostiary.core.access.authority import Authority, Declared
from ostiary.core.keys.ring import PURPOSES, Keyring
from ostiary.core.keys.root import RootSeal
from ostiary.core.mail.settings import MailSettings
from ostiary.core.networks.networks import Networks
from ostiary.core.networks.settings import NetworkSettings
from ostiary.core.places.places import Places
from ostiary.core.places.settings import PlaceSettings
from ostiary.core.sessions.sessions import NOT_AUTHENTICATED, Resolved
from ostiary.core.wiring import Core
from ostiary.http.access import PUBLIC, SESSION, CurrentOrigin, CurrentSession
from ostiary.http.assembly import App, assemble, json_response
from ostiary.http.csrf import csrf_token
from ostiary.http.inputs import JsonBody, json_body
from ostiary.http.problems import Problem
from ostiary.http.routing import Hot, JsonRoutes
from ostiary.http.settings import HttpSettings
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import SESSION_ENDED, TOO_MANY_ATTEMPTS, Misuse, Refused, Unavailable
from ostiary.kernel.origin import Quota
from ostiary.kernel.principal import Principal
from ostiary.kernel.secret import Secret
from ostiary.kernel.settings import Settings
from ostiary.kernel.world import World
from ostiary.storage import migrate
from ostiary.storage.connect import database_for

BASE = "https://auth.example.com"
SPA = "https://app.example.com"
SESSION_ID = "0" * 26
ROOT = Secret(bytes(range(200, 232)))
LIVE = f"{SESSION_ID}.{'a' * 43}"
DEAD = f"{'1' * 26}.{'b' * 43}"
_made: list[Keyring] = []


class FakeSessions:
    """One live session, one that has ended."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_down = False

    async def resolve(self, token: str, admit: object = None, *, is_use: bool = True) -> Resolved:
        self.asked += 1
        if self.is_down:
            raise Unavailable("the database is gone")
        if token == DEAD:
            raise Refused(SESSION_ENDED, "ended")
        if token != LIVE:
            raise Refused(NOT_AUTHENTICATED, "nonsense")
        principal = Principal("acc", SESSION_ID, ("pwd",), "1", datetime(2026, 1, 1, tzinfo=UTC))
        return Resolved(
            cast(Any, SimpleNamespace(id=SESSION_ID)), cast(Any, SimpleNamespace(id="acc")), principal
        )


class Note(JsonBody):
    """A body."""

    email: EmailStr
    password: Annotated[str, Field(min_length=8)] = "long enough"
    count: int = 0


class Noted(JsonBody):
    """An answer."""

    ip: str = ""


class Stage:
    """The app, its parts, and what ran."""

    def __init__(self, app: App, core: Core, sessions: FakeSessions, ran: list[str]) -> None:
        self.app, self.core, self.sessions, self.ran = app, core, sessions, ran
        self.csrf = csrf_token(core.ring, SESSION_ID)

    def cookies(self, *, csrf: str | None = None, session: str = LIVE) -> dict[str, str]:
        """A Cookie header, and the CSRF header where given."""
        names = self.app.edge.cookies
        words = f"{names.session}={session}; {names.csrf}={self.csrf}"
        return {"cookie": words} | ({"x-csrf-token": csrf} if csrf is not None else {})

    def client(self, base: str = BASE, peer: str = "192.0.2.1") -> httpx2.AsyncClient:
        """A client that follows no redirects and lets no exception through."""
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=cast(Any, self.app), client=(peer, 4711)), base_url=base
        )


async def build(**given: object) -> Stage:
    """A stage with these HTTP settings."""
    world = World()
    settings = Settings([HttpSettings, MailSettings], {"base_url": BASE, **given})
    ring = await _ring(world)
    sessions = FakeSessions()
    networks = Networks(world, NetworkSettings(), Places(PlaceSettings()), Authority(world, Declared(), ""))
    core = cast(
        Core,
        SimpleNamespace(world=world, settings=settings, ring=ring, sessions=sessions, networks=networks),
    )
    ran: list[str] = []
    return Stage(assemble(core, _hot(ran), _json(ran)), core, sessions, ran)


async def _ring(world: World) -> Keyring:
    """An open keyring, one for all; it lives in memory, and its database is gone."""
    if _made:
        return _made[0]
    ring = Keyring(world, RootSeal(ROOT))
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/ring.db"
        await asyncio.to_thread(migrate.upgrade, url)
        database = database_for(url, pool_size=1, prepared_statements=True)
        await database.open()
        await ring.open(database, PURPOSES.values())
        await database.close()
    _made.append(ring)
    return ring


def _hot(ran: list[str]) -> list[Hot]:
    async def who(request: Request) -> Response:
        ran.append("who")
        return json_response({"id": (await visit_of(request.scope).session()).account.id})

    async def echo(request: Request) -> Response:
        ran.append("echo")
        visit = visit_of(request.scope)
        body = (await request.body()).decode("latin-1")
        return json_response({"form": visit.form, "ip": visit.origin.ip, "body": body})

    async def hot_note(request: Request) -> Response:
        json_body(visit_of(request.scope), Note)
        ran.append("hot-note")
        return json_response({})

    async def method(request: Request) -> Response:
        return PlainTextResponse(request.method)

    async def page(request: Request) -> Response:
        visit = visit_of(request.scope)
        visit.may_submit_to("https://client.example")
        return Response(f"<p>{visit.nonce}</p>", media_type="text/html")

    async def keys(request: Request) -> Response:
        return json_response(
            {}, headers=[(b"cache-control", b"public, max-age=60"), (b"x-frame-options", b"ALLOW")]
        )

    async def fail(request: Request) -> Response:
        kind = request.path_params["kind"]
        match kind:
            case "limit":
                origin = visit_of(request.scope).origin
                left = 0 if request.query_params.get("full") else 4
                origin.quotas.append(
                    Quota("login", 20, timedelta(minutes=15), left, timedelta(seconds=119.5))
                )
                if left:
                    return json_response({})
                raise Refused(TOO_MANY_ATTEMPTS, "secret reason", retry_after=timedelta(seconds=2.1))
            case "misuse":
                raise Misuse("secret reason")
            case "unavailable":
                raise Unavailable("secret reason", timedelta(seconds=7))
            case _:
                raise ZeroDivisionError("secret reason")

    def oauth_error(visit: Visit, problem: Problem) -> Response:
        return json_response({"error": problem.code.name}, problem.status)

    async def token(request: Request) -> Response:
        ran.append("token")
        return json_response({"cookie": visit_of(request.scope).cookies.session})

    return [
        Hot("/auth/session", ("GET",), who, SESSION, {"summary": "Who am I"}),
        Hot("/auth/echo", ("POST",), echo, PUBLIC),
        Hot("/auth/guarded", ("POST",), echo, SESSION),
        Hot(
            "/auth/hot-notes",
            ("POST",),
            hot_note,
            PUBLIC,
            {"summary": "Note"},
            takes=Note,
            gives=Noted | None,
        ),
        Hot("/login", ("POST",), echo, PUBLIC, takes_form=True),
        Hot("/login", ("GET",), page, PUBLIC),
        Hot("/method", ("GET",), method, PUBLIC),
        Hot("/keys", ("GET",), keys, PUBLIC),
        Hot("/healthz", ("GET",), method, PUBLIC),
        Hot("/fail/{kind}", ("GET",), fail, PUBLIC, {}),
        Hot(
            "/oauth2/token",
            ("POST",),
            token,
            PUBLIC,
            takes_form=True,
            on_problem=oauth_error,
        ),
    ]


def _json(ran: list[str]) -> list[JsonRoutes]:
    public, guarded = APIRouter(), APIRouter()

    @public.post("/auth/notes", status_code=202)
    async def note(body: Note, origin: CurrentOrigin) -> dict[str, str]:
        ran.append("note")
        return {"ip": origin.ip}

    @public.get("/auth/broken")
    async def broken() -> None:
        raise ZeroDivisionError("secret reason")

    @public.get("/auth/json-method")
    async def json_method(request: Request) -> dict[str, str]:
        ran.append(request.method)
        return {"method": request.method}

    @guarded.get("/auth/sessions")
    async def mine(current: CurrentSession) -> dict[str, str]:
        return {"id": current.account.id}

    @guarded.delete("/auth/sessions/{session_id}", status_code=204)
    async def end(session_id: str) -> None:
        ran.append("end")

    @guarded.post("/auth/guarded-notes")
    async def guarded_note(body: Note) -> None:
        ran.append("guarded-note")

    return [JsonRoutes(public, PUBLIC), JsonRoutes(guarded, SESSION)]
