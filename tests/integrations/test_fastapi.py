"""ostiary inside a FastAPI application: guards, CSRF, the host's own handlers, lifespan and OpenAPI."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from ostiary.integrations.fastapi import (
    CurrentPrincipal,
    CurrentUser,
    OptionalUser,
    Ostiary,
    requires_fresh,
)
from ostiary.kernel.errors import Misuse
from ostiary.testing import Kit
from ostiary.testing.kit import PASSWORD

LOADED: list[str] = []


async def load_note(note_id: str) -> str:
    """Stands for a database row; loading one is recorded."""
    LOADED.append(note_id)
    return note_id


def host_app(kit: Kit) -> FastAPI:
    """A host with routes, a handler and a lifespan of its own."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.events = ["up"]
        yield
        app.state.events.append("down")

    app = FastAPI(lifespan=lifespan)
    Ostiary(kit.engine).install(app)

    @app.exception_handler(HTTPException)
    async def own_handler(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"host": error.detail}, error.status_code)

    @app.get("/me")
    async def me(user: CurrentUser, who: CurrentPrincipal) -> dict[str, Any]:
        return {"email": user.email, "amr": who.amr}

    @app.get("/maybe")
    async def maybe(user: OptionalUser) -> dict[str, Any]:
        return {"email": user.email if user else None}

    @app.post("/notes")
    async def write(user: CurrentUser) -> dict[str, str]:
        return {"author": user.id}

    @app.post("/open")
    async def opened(user: OptionalUser) -> dict[str, bool]:
        return {"signed_in": user is not None}

    @app.delete("/vault", dependencies=[requires_fresh(15)])
    async def vault() -> dict[str, str]:
        return {"vault": "empty"}

    @app.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, "short and stout")

    return app


class Host:
    """Clients of the host app that share a kit's mailbox and clock."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.app = host_app(kit)

    def client(self, **given: Any) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(self.app, client=("192.0.2.10", 40_000))
        return httpx2.AsyncClient(transport=transport, base_url=self.kit.base_url, **given)

    async def signed_in(self) -> tuple[httpx2.AsyncClient, dict[str, str]]:
        await self.kit.signed_up("anna@example.com")
        client = self.client()
        body = {"identifier": "anna@example.com", "password": PASSWORD}
        assert (await client.post("/auth/login", json=body)).status_code == 200
        return client, {"x-csrf-token": client.cookies["__Host-ostiary-csrf"]}


@pytest.fixture
def hosted(kit: Kit) -> Host:
    """A host application around the kit's engine."""
    return Host(kit)


async def test_guards_tell_who_asks(hosted: Host) -> None:
    """Anonymous is 401 with a challenge, a session is its user; an optional user may be nobody."""
    async with hosted.client() as nobody:
        refused = await nobody.get("/me")
        assert (refused.status_code, refused.json()["code"]) == (401, "not_authenticated")
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert refused.headers["content-type"] == "application/problem+json"
        assert (await nobody.get("/maybe")).json() == {"email": None}
    client, _ = await hosted.signed_in()
    assert (await client.get("/me")).json() == {"email": "anna@example.com", "amr": ["pwd"]}
    assert (await client.get("/maybe")).json() == {"email": "anna@example.com"}


async def test_a_cookie_implies_csrf_on_the_hosts_routes(hosted: Host) -> None:
    """Any guard that accepts the cookie refuses unsafe calls without proof, an optional one too (E3)."""
    client, token = await hosted.signed_in()
    for path in ("/notes", "/open"):
        bare = await client.post(path)
        assert (bare.status_code, bare.json()["code"]) == (403, "csrf_failed")
        assert (await client.post(path, headers=token)).status_code == 200
        foreign = await client.post(path, headers=token | {"origin": "https://evil.example"})
        assert (foreign.status_code, foreign.json()["code"]) == (403, "csrf_failed")
    async with hosted.client() as nobody:
        assert (await nobody.post("/open")).json() == {"signed_in": False}
        assert (await nobody.post("/notes")).status_code == 401


async def test_a_dead_cookie_is_cleared_by_the_host_too(hosted: Host) -> None:
    """After the session has ended the host's 401 clears the cookie, and optional guards see nobody."""
    client, token = await hosted.signed_in()
    twin = hosted.client(cookies=dict(client.cookies))
    await client.post("/auth/logout", headers=token)
    ended = await twin.get("/me")
    assert (ended.status_code, ended.json()["code"]) == (401, "session_ended")
    assert any(line.startswith("__Host-ostiary=; Max-Age=0") for line in ended.headers.get_list("set-cookie"))
    again = hosted.client(cookies={"__Host-ostiary": "nonsense"})
    assert (await again.get("/maybe")).json() == {"email": None}


async def test_fresh_proof_is_demanded_on_the_turned_clock(hosted: Host) -> None:
    """Within 15 minutes of signing in the vault opens, afterwards it asks for a fresh proof (RFC 9470)."""
    client, token = await hosted.signed_in()
    assert (await client.delete("/vault", headers=token)).status_code == 200
    hosted.kit.clock.turn(timedelta(minutes=15, seconds=5))
    stale = await client.delete("/vault", headers=token)
    assert (stale.status_code, stale.json()["code"]) == (401, "fresh_authentication_required")
    assert stale.json()["max_age"] == 900
    assert 'error="insufficient_user_authentication", max_age="900"' in stale.headers["www-authenticate"]
    async with hosted.client() as nobody:
        assert (await nobody.delete("/vault")).json()["code"] == "not_authenticated"


async def test_the_hosts_handlers_and_lifespan_are_its_own(hosted: Host) -> None:
    """The host's exception handler answers its own errors, and its lifespan runs around the engine's."""
    async with hosted.client() as nobody:
        assert (await nobody.get("/teapot")).json() == {"host": "short and stout"}
        assert (await nobody.get("/nowhere")).json() == {"detail": "Not Found"}
    async with hosted.app.router.lifespan_context(hosted.app):
        assert hosted.app.state.events == ["up"]
    assert hosted.app.state.events == ["up", "down"]
    await hosted.kit.engine.start()


async def test_openapi_names_the_security_scheme(hosted: Host) -> None:
    """Guarded operations carry the schemes of cookie and key in the host's own OpenAPI document."""
    document = hosted.app.openapi()
    assert document["components"]["securitySchemes"]["ostiary session"]["in"] == "cookie"
    assert document["paths"]["/me"]["get"]["security"] == [{"ostiary session": []}, {"ostiary API key": []}]
    assert document["components"]["securitySchemes"]["ostiary API key"]["name"] == "X-API-Key"
    assert "security" not in document["paths"]["/teapot"]["get"]


async def test_a_guard_without_install_says_so(tmp_path: Any) -> None:
    """A guard on an app that ostiary was not installed on is a mistake of the developer, not an open door."""
    app = FastAPI()

    @app.get("/me")
    async def me(user: CurrentUser) -> dict[str, Any]:
        return {"email": user.email}

    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://host.example") as client:
        with pytest.raises(Misuse, match="install"):
            await client.get("/me")
