"""The bridge from WSGI: what a server says becomes the same request, and ostiary's answers arrive whole or in parts."""

import http.client
import io
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from werkzeug.serving import make_server

from ostiary.integrations.host import Ostiary
from ostiary.integrations.portal import Portal
from ostiary.integrations.wsgi import Bridge, Environ, scope_of, visit_of
from ostiary.testing.kit import PASSWORD

PROXY = "198.51.100.7"


def environ(path: str = "/auth/session", method: str = "GET", body: bytes = b"", /, **given: Any) -> Environ:
    """What a WSGI server hands to an application."""
    return {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": "", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8000", "REMOTE_ADDR": PROXY, "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)) if body else "", "CONTENT_TYPE": "",
        **given,
    }  # fmt: skip


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    """A host's portal behind one trusted proxy; closed at the end."""
    portal = Portal(
        Ostiary(database=f"sqlite:///{tmp_path / 'o.db'}", data=tmp_path, dev=True, trusted_proxies=1)
    )
    yield portal
    portal.close()


@contextmanager
def served(app: Any) -> Iterator[int]:
    """A WSGI app on a real server with threads; yields its port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answered(bridge: Bridge, given: Environ) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of an answer, as a server would take it."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []
    reply = bridge(given, lambda status, headers: begun.append((status, headers)))
    body = b"".join(reply)
    reply.close()
    ((status, headers),) = begun
    return int(status[:3]), {name.lower(): value for name, value in headers}, json.loads(body or b"null")


def test_an_environ_becomes_the_request_that_it_stands_for() -> None:
    """Path, mount, query, headers, client and scheme are those of the request; what no client can have sent as a header
    is none."""
    scope = scope_of(
        environ(
            "/nöte/a%b",
            SCRIPT_NAME="/app",
            QUERY_STRING="q=%C3%B6",
            CONTENT_TYPE="application/json",
            CONTENT_LENGTH="5",
            HTTP_CONTENT_LENGTH="9",
            HTTP_CONTENT_TYPE="text/plain",
            HTTP_X_FORWARDED_FOR="192.0.2.1,192.0.2.2",
            HTTP_COOKIE="a=1; b=2",
            REMOTE_PORT="4711",
            **{"wsgi.url_scheme": "https", "HTTP_X-ODD": "1", "gunicorn.thing": "x"},
        )
    )
    assert (scope["path"], scope["root_path"], scope["raw_path"]) == (
        "/app/nöte/a%b",
        "/app",
        b"/app/n%C3%B6te/a%25b",
    )
    assert (scope["query_string"], scope["scheme"], scope["client"]) == (b"q=%C3%B6", "https", (PROXY, 4711))
    assert sorted(scope["headers"]) == [
        (b"content-length", b"5"),
        (b"content-type", b"application/json"),
        (b"cookie", b"a=1; b=2"),
        (b"host", b"127.0.0.1:8000"),
        (b"x-forwarded-for", b"192.0.2.1,192.0.2.2"),
    ]
    assert scope_of(environ(REMOTE_ADDR=""))["client"] is None
    assert scope_of(environ("/", PATH_INFO="/\xff"))["raw_path"] == b"/%FF"


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Says what it was asked."""
    message = await receive()
    told = {
        "client": scope["client"][0], "headers": [[a.decode(), b.decode()] for a, b in scope["headers"]],
        "body": len(message.get("body", b"")), "raw": scope["raw_path"].decode(), "message": message["type"],
    }  # fmt: skip
    body = json.dumps(told).encode()
    headers = [
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        (b"x-a", b"1"),
        (b"x-a", b"2"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _raw(port: int, *lines: str, body: bytes = b"") -> dict[str, Any]:
    """Send a request as written; return what `_echo` said."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall("\r\n".join(["POST /a%2Fb%C3%B6 HTTP/1.1", *lines, "", ""]).encode() + body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        told: dict[str, Any] = json.loads(answer.read())
        assert answer.headers.get_all("x-a") == ["1", "2"]
        return told


def test_no_header_passes_for_another_on_a_real_server(portal: Portal) -> None:
    """Behind a proxy `X_Forwarded_For` never stands in for `X-Forwarded-For`, a second length is no length, repeated
    headers stay together, and a chunked body arrives."""
    bridge = Bridge(portal, _echo)
    origins: list[str] = []

    def app(given: Environ, start_response: Any) -> Any:
        origins.append(visit_of(portal.auth, given).origin.ip)
        return bridge(given, start_response)

    host = "Host: 127.0.0.1"
    with served(app) as port:
        for lines in (
            ["X_Forwarded_For: 203.0.113.66", "X-Forwarded-For: 192.0.2.1"],
            ["X-Forwarded-For: 192.0.2.1", "X_FORWARDED_FOR: 203.0.113.66", "X-Forwarded_For: 203.0.113.67"],
            ["X-Forwarded-For: 203.0.113.66", "X-Forwarded-For: 192.0.2.1"],
        ):
            told = _raw(port, host, *lines, "Content-Length: 3", "Content_Length: 30", body=b"abc")
            assert (told["body"], told["raw"]) == (3, "/a/b%C3%B6")
            assert [value for name, value in told["headers"] if name == "content-length"] == ["3"]
        assert origins == ["192.0.2.1"] * 3
        told = _raw(port, host, "Transfer-Encoding: chunked", body=b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
        assert (told["body"], told["message"]) == (3, "http.request")


def test_bodies_are_bounded_and_half_ones_are_nobodys(portal: Portal) -> None:
    """A body beyond the limit is refused, by its length alone without being read; a client that leaves before its body
    is complete changes nothing; a server without lengths is not read from."""
    bridge = Bridge(portal)
    limit = portal.auth.engine.app.edge.settings.body_limit
    json_type = {"CONTENT_TYPE": "application/json"}
    long = environ("/auth/login", "POST", b"x" * (limit + 1), **json_type)
    status, headers, problem = answered(bridge, long)
    assert (status, problem["code"]) == (413, "body_too_large")
    assert headers["content-type"] == "application/problem+json"
    assert long["wsgi.input"].tell() == 0
    endless = io.BytesIO(b"x" * 3 * limit)
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    status, _, problem = answered(
        bridge, environ("/auth/login", "POST", **{**json_type, **chunked, "wsgi.input": endless})
    )
    assert (status, problem["code"]) == (413, "body_too_large")
    assert endless.tell() == limit + 1
    for odd in ("-1", "\xb2", "1" * 30):
        assert answered(bridge, environ("/auth/login", "POST", CONTENT_LENGTH=odd, **json_type))[0] in {
            400,
            413,
        }

    body = json.dumps({"email": "half@example.com", "password": PASSWORD}).encode()
    half = environ("/auth/register", "POST", body, CONTENT_LENGTH=str(len(body) + 1), **json_type)
    assert answered(bridge, half)[0] == 400
    silent = environ("/auth/register", "POST", body, **{**json_type, "CONTENT_LENGTH": ""})
    assert answered(bridge, silent)[0] == 422
    assert silent["wsgi.input"].tell() == 0
    assert answered(bridge, environ("/", PATH_INFO="/auth/\xff"))[2]["code"] == "malformed_request"
    status, headers, problem = answered(bridge, environ(SCRIPT_NAME="/below"))
    assert (status, problem["code"], headers["www-authenticate"][:6]) == (401, "not_authenticated", "Bearer")


class Streaming:
    """An app that sends parts until its client has left.

    Attributes:
        sent: How many parts it could send.
        left: Set when it has heard that the client is gone.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.left = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 299, "headers": []})
        if scope["path"] == "/breaks":
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
            raise ValueError("in the middle")
        for self.sent in range(1, 100):
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
        assert (await receive())["type"] == "http.disconnect"
        self.left.set()


def test_parts_are_sent_as_they_are_taken(portal: Portal) -> None:
    """A stream goes no further ahead than a few parts, hears that its client has left, and then ends; an exception
    comes out unchanged, whether before the answer or within it."""
    app = Streaming()
    bridge = Bridge(portal, app)
    reply = bridge.open(environ())
    assert reply.status == "299 Status"
    parts = iter(reply)
    assert [next(parts) for _ in range(10)] == [b"part"] * 10
    assert app.sent <= 10 + 5
    reply.close()
    assert app.left.wait(30)

    parts = iter(bridge.open(environ("/breaks")))
    assert next(parts) == b"part"
    with pytest.raises(ValueError, match="in the middle"):
        next(parts)
    cause = KeyError("at once")

    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise cause

    failing: ASGIApp = fails
    with pytest.raises(KeyError) as raised:
        Bridge(portal, failing).open(environ())
    assert raised.value is cause


def test_people_sign_in_over_wsgi(database_url: str, tmp_path: Path) -> None:
    """Registering, the mail, signing in with separate cookies, HEAD, guards by the same visit, and a poll of the feed
    that would wait 25 seconds, but holds no thread here."""
    portal = Portal(Ostiary(database=database_url, data=tmp_path, dev=True))
    bridge = Bridge(portal)

    def app(given: Environ, start_response: Any) -> Any:
        if bridge.owns(given):
            return bridge(given, start_response)
        visit = visit_of(portal.auth, given)
        assert visit_of(portal.auth, given) is visit
        email = portal.call(visit.session).account.email
        start_response("200 OK", [])
        return [(email or "").encode()]

    try:
        with served(app) as port, httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            anna = {"email": "anna@example.com", "password": PASSWORD}
            assert client.post("/auth/register", json=anna).status_code == 202
            token = _token(client)
            assert client.post("/auth/email/verify", json={"token": token}).status_code == 200
            answer = client.post("/auth/login", json={"identifier": anna["email"], "password": PASSWORD})
            assert answer.status_code == 200
            assert len(answer.headers.get_list("set-cookie")) >= 2
            session = client.get("/auth/session")
            assert session.json()["user"]["email"] == anna["email"]
            head = client.head("/auth/session")
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == session.headers["content-length"]
            assert client.get("/whoever").text == anna["email"]
            assert "<form" in client.get("/account").text
            assert client.get("/auth/revocations?wait=25").status_code == 200
            assert client.get("/auth/revocations?wait=26").status_code == 422
            assert client.post("/auth/logout").json()["code"] == "csrf_failed"
    finally:
        portal.close()


def _token(client: httpx2.Client) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for mail in client.get("/dev/mailbox.json").json():
            if found := re.search(r"[?&]token=([\w-]+)", mail["text"]):
                return found[1]
        time.sleep(0.02)
    raise AssertionError("no mail came")
