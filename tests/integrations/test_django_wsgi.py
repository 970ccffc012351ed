"""Django under WSGI: the same guards before every kind of view, over real HTTP, with one engine in the background."""

import asyncio
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.core.management import ManagementUtility, call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from ostiary.integrations.django import (
    Ostiary,
    Role,
    call,
    configured,
    current_user,
    rate_limit,
    requires,
    wsgi,
)
from ostiary.integrations.django.configured import portal_of
from ostiary.kernel.errors import Misuse
from ostiary.testing.kit import PASSWORD
from tests.integrations.test_django_asgi import ANNA, URLS, VIEWS, ran
from tests.integrations.test_wsgi import served
from tests.support.django_project import MIDDLEWARE, project

SITE = [MIDDLEWARE, "ostiary.integrations.django.RequireSignIn"]


@pytest.fixture
def auth(tmp_path: Path) -> Iterator[Ostiary]:
    """A project's own ostiary, as it would make it; its engine is stopped at the end."""
    auth = Ostiary(
        database=f"sqlite:///{tmp_path / 'o.db'}",
        data=tmp_path,
        dev=True,
        roles=(Role("editor", ("notes:*",)),),
    )
    yield auth
    portal_of(auth).close()


@contextmanager
def serving(auth: Ostiary, *urls: Any, **changed: Any) -> Iterator[str]:
    """The project on a real server with threads; yields where."""
    with project(*urls, OSTIARY=auth, **changed), served(wsgi(get_wsgi_application())) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def signed_in(auth: Ostiary, url: str, address: str = ANNA) -> Iterator[httpx2.Client]:
    """A client of somebody new who is signed in and sends no CSRF token by habit."""
    with httpx2.Client(base_url=url, timeout=60) as client:
        _sign_in(auth, client, address)
        yield client


def _sign_in(auth: Ostiary, client: httpx2.Client, address: str) -> None:
    assert client.post("/auth/register", json={"email": address, "password": PASSWORD}).status_code == 202
    deadline = time.monotonic() + 60
    assert auth.engine.mailbox is not None
    while not (mails := [one for one in auth.engine.mailbox.messages() if one["to"] == address]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    token = re.findall(r"token=([\w-]+)", mails[0]["text"])[0]
    assert client.post("/auth/email/verify", json={"token": token}).status_code == 200
    assert client.post("/auth/login", json={"identifier": address, "password": PASSWORD}).status_code == 200


def proof(client: httpx2.Client) -> dict[str, str]:
    """The CSRF header of a client that is signed in."""
    return {"x-csrf-token": client.cookies["ostiary-csrf"]}


def test_guards_stand_before_every_kind_of_view(auth: Ostiary) -> None:
    """As under ASGI: 401 before a view runs, forms carry proof, refusals inside are answered, dead cookies cleared."""
    limited = path("often", rate_limit("1/m")(lambda request: HttpResponse("often")))

    @requires("notes:read")
    async def notes(request: HttpRequest) -> HttpResponse:
        return HttpResponse("notes")

    def promote(request: HttpRequest) -> HttpResponse:
        changed = call(configured().grant_role, current_user(request).id, "editor", by="shop")
        return HttpResponse(str(changed))

    with serving(auth, *URLS, limited, path("notes", notes), path("promote", promote)) as url:
        ran.clear()
        with httpx2.Client(base_url=url) as nobody:
            for name, _ in VIEWS:
                refused = nobody.get(f"/{name}")
                assert (refused.status_code, refused.json()["code"]) == (401, "not_authenticated"), name
                assert refused.headers["www-authenticate"] == 'Bearer realm="ostiary"'
            assert ran == []
            page = nobody.get("/me_sync?a=1", headers={"accept": "text/html"})
            assert (page.status_code, page.headers["location"]) == (303, "/login?next=/me_sync%3Fa%3D1")
            assert "Sign in" in nobody.get("/login").text
            assert nobody.get("/nowhere").status_code == 404
            first, second = nobody.get("/often"), nobody.get("/often")
            assert (first.headers["ratelimit"], second.status_code) == ('"1/1m";r=0;t=60', 429)
            assert int(second.headers["retry-after"]) <= 60
        with signed_in(auth, url) as anna:
            for name, _ in VIEWS:
                assert anna.get(f"/{name}").json() == {"email": ANNA, "main": False}, name
            for name in ("maybe", "maybe_sync"):
                assert anna.get(f"/{name}").json() == {"email": ANNA, "token": proof(anna)["x-csrf-token"]}
            for name in ("burn", "burn_sync"):
                assert anna.get(f"/{name}").json()["permission"] == "notes:burn"
            token = proof(anna)["x-csrf-token"]
            for name in ("/form", "/form_sync"):
                for wrong in ({"words": "hi"}, {"words": "hi", "csrf_token": token[:-1]}):
                    assert anna.post(name, data=wrong).json()["code"] == "csrf_failed"
                assert anna.post(name, data={"words": "hi"}, headers=proof(anna)).status_code == 200
                fields = {"words": "hi", "csrf_token": token}
                assert anna.post(name, data=fields).json() == {"words": "hi", "files": []}
                assert anna.post(name, data=fields, files={"paper": b"x"}).json()["files"] == ["paper"]
            assert anna.get("/notes").json()["permission"] == "notes:read"
            assert [anna.get("/promote").text for _ in range(2)] == ["True", "False"]
            assert anna.get("/notes").text == "notes"
            twin = {"cookie": "; ".join(f"{name}={value}" for name, value in anna.cookies.items())}
            anna.post("/auth/logout", headers=proof(anna))
        with httpx2.Client(base_url=url) as late:
            for name in ("me", "me_sync"):
                ended = late.get(f"/{name}", headers=twin)
                assert ended.json()["code"] == "session_ended"
                cleared = {
                    one.partition("=;")[0]: one.lower() for one in ended.headers.get_list("set-cookie")
                }
                assert cleared.keys() == {"ostiary", "ostiary-csrf"}
                for flag in ("max-age=0", "path=/", "samesite=lax", "httponly"):
                    assert flag in cleared["ostiary"]


def test_a_slow_form_holds_its_own_thread_alone(auth: Ostiary) -> None:
    """While one client's form does not arrive, others are answered: it is not read in the engine's loop."""
    with serving(auth, *URLS) as url, signed_in(auth, url) as anna:
        cookie = "; ".join(f"{name}={value}" for name, value in anna.cookies.items())
        body = f"words=hi&csrf_token={proof(anna)['x-csrf-token']}"
        head = [
            "POST /form_sync HTTP/1.1", "Host: 127.0.0.1", f"Cookie: {cookie}", "Connection: close",
            "Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}", "", "",
        ]  # fmt: skip
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 60) as slow:
            slow.sendall("\r\n".join(head).encode() + body[:5].encode())
            for _ in range(3):
                assert anna.get("/me_sync").status_code == 200
            slow.sendall(body[5:].encode())
            answer = b""
            while part := slow.recv(65_536):
                answer += part
        assert answer.startswith(b"HTTP/1.1 200")
        assert b'{"words": "hi", "files": []}' in answer


def test_a_project_tests_itself_with_djangos_client(auth: Ostiary) -> None:
    """Django's test client knows no wsgi.py, and its guards and the site's work as they would."""
    with project(*URLS, OSTIARY=auth), serving(auth, *URLS) as url, signed_in(auth, url) as anna:
        client = Client()
        assert client.get("/me_sync").json()["code"] == "not_authenticated"
        client.cookies.load(dict(anna.cookies))
        assert client.get("/me_sync").json()["email"] == ANNA
        assert client.post("/form_sync", {"words": "hi"}).status_code == 403
        assert client.post("/form_sync", {"words": "hi"}, headers=proof(anna)).status_code == 200
        with project(*URLS, middleware=SITE, OSTIARY=auth):
            assert client.get("/nowhere").status_code == 404
            assert Client().get("/nowhere").status_code == 401


def test_the_commands_of_ostiary_are_commands_of_the_project(
    auth: Ostiary, capsys: pytest.CaptureFixture[str]
) -> None:
    """`manage.py ostiary …` works on the project's own settings, and ends as the program does."""

    def typed(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            ManagementUtility(["manage.py", "ostiary", *arguments]).execute()
        assert isinstance(ended.value.code, int)
        return ended.value.code, "".join(capsys.readouterr())

    mask = os.umask(0o077)  # which the program sets, too
    with project(OSTIARY=auth), served(wsgi(get_wsgi_application())) as port:
        with signed_in(auth, f"http://127.0.0.1:{port}"):
            assert typed("roles", "grant", ANNA, "editor")[0] == 0  # a role of the program's
        code, words = typed("roles", "explain", ANNA, "notes:read")
        assert (code, "editor" in words) == (0, True)
        assert typed("roles", "explain", ANNA, "users:delete")[0] == 1
        assert typed("roles", "grant", "nobody@example.com", "editor")[0] == 2
        assert "manage.py ostiary" in typed("roles", "--help")[1]
        with pytest.raises(SystemExit) as ended:
            call_command("ostiary", "roles", "list", "--json")
        assert (ended.value.code, "editor" in capsys.readouterr().out) == (0, True)
        assert call(auth.profile, "nobody") is None  # and the engine begins again
    os.umask(mask)


def test_what_is_missing_is_named(auth: Ostiary) -> None:
    """Paths of ours in the project are named with the first request, and `call` never stops an event loop."""
    with project(path("login", lambda request: HttpResponse()), OSTIARY=auth):
        app = wsgi(get_wsgi_application())
        with pytest.raises(Misuse, match="never be reached: /login;"):
            app({}, lambda *_: None)

    async def calling() -> None:
        call(configured().profile, "nobody")

    with project(OSTIARY=auth), pytest.raises(Misuse, match="await the function"):
        asyncio.run(calling())
    with project(OSTIARY=auth):
        assert call(configured().profile, "nobody") is None
