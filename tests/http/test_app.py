"""The assembled app: headers on every answer, problems, guards, CSRF, CORS, methods and the list of routes."""

import logging
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ostiary.http.access import PUBLIC
from ostiary.http.assembly import json_response
from ostiary.http.csrf import csrf_token
from ostiary.http.routing import Hot, JsonRoutes
from ostiary.http.table import Declared, Table
from ostiary.kernel.errors import Misuse
from tests.http.stage import BASE, DEAD, LIVE, SPA, Stage, build

NOTE = {"email": "a@example.com"}


@pytest.fixture
async def stage() -> Stage:
    """The app with a front end."""
    return await build(front_end_origins=(SPA,))


def cleared(answer: httpx2.Response) -> list[str]:
    """The cookies that an answer takes back."""
    return [c.partition("=")[0] for c in answer.headers.get_list("set-cookie") if "Max-Age=0" in c]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/login", 200), ("GET", "/auth/session", 401), ("GET", "/auth/sessions", 401), ("GET", "/nowhere", 404),
        ("PATCH", "/login", 405), ("PUT", "/auth/notes", 405), ("TRACE", "/login", 405), ("POST", "/auth/notes", 422),
        ("GET", "/fail/bug", 500), ("GET", "/auth/broken", 500), ("GET", "/fail/unavailable", 503),
        ("OPTIONS", "/login", 204), ("HEAD", "/method", 200),
        ("GET", "/auth/openapi.json", 200), ("OPTIONS", "/nowhere", 404),
    ],
)  # fmt: skip
async def test_every_answer_carries_the_headers(stage: Stage, method: str, path: str, status: int) -> None:
    """E4 whatever the outcome, and an id that names the request."""
    async with stage.client() as client:
        answer = await client.request(method, path)
    headers = answer.headers
    assert answer.status_code == status
    assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-xss-protection"] == "0"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["permissions-policy"] == "camera=(), microphone=(), geolocation=()"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert len(headers["x-request-id"]) == 24
    if status >= 400:
        problem = answer.json()
        assert headers["content-type"] == "application/problem+json"
        assert problem["status"] == status
        assert problem["instance"] == f"urn:ostiary:request:{headers['x-request-id']}"
        assert {"type", "title", "code"} <= problem.keys()
        assert "secret reason" not in answer.text
    if status == 401:
        assert headers["www-authenticate"].startswith("Bearer realm=")
    if status == 405:
        assert "allow" in headers


async def test_a_page_gets_a_fresh_nonce(stage: Stage) -> None:
    """The nonce in the page is the one in the policy, and another one next time; only pages get the wider policy."""
    async with stage.client() as client:
        first, second, plain = [await client.get(path) for path in ("/login", "/login", "/method")]
    nonce = first.text.removeprefix("<p>").removesuffix("</p>")
    assert f"script-src 'nonce-{nonce}'" in first.headers["content-security-policy"]
    assert "form-action 'self' https://client.example" in first.headers["content-security-policy"]
    assert nonce not in second.text
    assert "nonce" not in plain.headers["content-security-policy"]


async def test_a_route_may_choose_its_caching_and_nothing_else(stage: Stage) -> None:
    """Public keys may be cached; framing stays forbidden."""
    async with stage.client() as client:
        answer = await client.get("/keys")
    assert answer.headers.get_list("cache-control") == ["public, max-age=60"]
    assert answer.headers.get_list("x-frame-options") == ["DENY"]


async def test_plain_http_on_loopback_sends_no_hsts() -> None:
    """Development neither redirects nor pins https, and its cookies have plain names."""
    stage = await build(base_url="http://localhost:8000")
    async with stage.client("http://localhost:8000") as client:
        answer = await client.get("/login")
    assert answer.status_code == 200
    assert "strict-transport-security" not in answer.headers
    assert stage.app.edge.cookies.session == "ostiary"


@pytest.mark.parametrize(
    ("proxies", "scheme", "proto", "path", "status"),
    [
        (0, "http", None, "/login", 308),
        (0, "http", "https", "/login", 308),
        (0, "https", "http", "/login", 200),
        (1, "http", "https", "/login", 200),
        (1, "https", "http", "/login", 308),
        (1, "http", None, "/login", 308),
        (0, "http", None, "/healthz", 200),
    ],
)
async def test_http_is_redirected(
    proxies: int, scheme: str, proto: str | None, path: str, status: int
) -> None:
    """308 unless the connection, or the trusted proxy, says https; health is exempt."""
    stage = await build(trusted_proxies=proxies)
    async with stage.client(f"{scheme}://auth.example.com") as client:
        answer = await client.get(path, headers={"x-forwarded-proto": proto} if proto else {})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("//evil.example/x", f"{BASE}//evil.example/x"),
        ("/a%0d%0aX:y?b=%0d", f"{BASE}/a%0d%0aX:y?b=%0d"),
        ("/@evil.example", f"{BASE}/@evil.example"),
    ],
)
async def test_the_redirect_never_leaves_the_base_url(target: str, location: str) -> None:
    """Whatever the path looks like, it comes after the configured origin."""
    stage = await build()
    async with stage.client("http://auth.example.com") as client:
        answer = await client.get("http://auth.example.com" + target)
    assert answer.headers["location"] == location


@pytest.mark.parametrize(
    ("proxies", "given", "is_kept"),
    [(0, "abc-1", False), (1, "abc-1", True), (1, "a b", False), (1, "x" * 65, False)],
)
async def test_a_request_id_is_taken_from_our_proxy_only(proxies: int, given: str, is_kept: bool) -> None:
    """Anyone else could write into the logs."""
    stage = await build(trusted_proxies=proxies)
    headers = {"x-request-id": given, "x-forwarded-proto": "https"}
    async with stage.client() as client:
        answer = await client.get("/method", headers=headers)
    assert (answer.headers["x-request-id"] == given) == is_kept


async def test_limits_show_on_success_and_on_refusal(stage: Stage) -> None:
    """RateLimit headers on both; a refusal says when to come back and which policy it was."""
    async with stage.client() as client:
        passed = await client.get("/fail/limit")
        refused = await client.get("/fail/limit?full=1")
    assert passed.headers["ratelimit-policy"] == '"login";q=20;w=900'
    assert passed.headers["ratelimit"] == '"login";r=4;t=120'
    assert refused.status_code == 429
    assert refused.headers["ratelimit"] == '"login";r=0;t=120'
    assert refused.headers["retry-after"] == "3"
    assert refused.json()["retry_after"] == 3
    assert refused.json()["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert refused.json()["violated-policies"] == ["login"]


@pytest.mark.parametrize("path", ["/fail/bug", "/fail/misuse", "/auth/broken"])
async def test_defects_are_logged_and_not_told(
    stage: Stage, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the exception under the id that the caller gets; the answer has nothing else."""
    with caplog.at_level(logging.ERROR, "ostiary.http"):
        async with stage.client() as client:
            answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.json().keys() == {"type", "title", "status", "code", "instance"}
    [record] = [r for r in caplog.records if r.name == "ostiary.http" and r.levelno == logging.ERROR]
    assert answer.headers["x-request-id"] in record.getMessage()
    assert "secret reason" in str(record.exc_info)


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"email": "hunter2secret"}, ["body", "email"]),
        ({"email": "a@example.com", "password": "hunter2"}, ["body", "password"]),
        ({"email": "a@example.com", "count": "hunter2"}, ["body", "count"]),
        ({"email": "a@example.com", "unknown": "hunter2"}, ["body", "unknown"]),
        ({"email": "hunter2<>@example.com"}, ["body", "email"]),
    ],
)
async def test_invalid_fields_are_named_and_not_repeated(
    stage: Stage, body: dict[str, str], loc: list[str]
) -> None:
    """422 lists the places; what was typed, maybe a password, does not come back."""
    async with stage.client() as client:
        answer = await client.post("/auth/notes", json=body)
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["loc"]) == (422, loc)
    assert error.keys() == {"loc", "message", "type"}
    assert "hunter2" not in answer.text


async def test_a_route_speaks_its_own_kind_of_error(stage: Stage) -> None:
    """OAuth endpoints keep their error format, also for what the middleware refuses."""
    async with stage.client() as client:
        answer = await client.post("/oauth2/token", json={})
    assert (answer.status_code, answer.json()) == (415, {"error": "unsupported_media_type"})


@pytest.mark.parametrize(
    ("session", "code"),
    [(DEAD, "session_ended"), ("nonsense", "not_authenticated"), ("a b", "not_authenticated")],
)
@pytest.mark.parametrize("path", ["/auth/session", "/auth/sessions"])
async def test_a_401_takes_a_dead_cookie_back(stage: Stage, path: str, session: str, code: str) -> None:
    """Hot and JSON routes alike; without a cookie nothing is cleared."""
    async with stage.client() as client:
        dead = await client.get(path, headers=stage.cookies(session=session))
        without = await client.get(path)
    assert (dead.status_code, dead.json()["code"]) == (401, code)
    assert cleared(dead) == ["__Host-ostiary", "__Host-ostiary-csrf"]
    assert ("invalid_token" in dead.headers["www-authenticate"]) == (code == "session_ended")
    assert cleared(without) == []


@pytest.mark.parametrize("path", ["/auth/session", "/auth/sessions"])
async def test_a_live_cookie_is_resolved_once(stage: Stage, path: str) -> None:
    """The guard and the route share one look-up."""
    async with stage.client() as client:
        answer = await client.get(path, headers=stage.cookies())
    assert answer.json() == {"id": "acc"}
    assert stage.sessions.asked == 1


async def test_two_session_cookies_are_none(stage: Stage) -> None:
    """Whoever can plant a cookie does not choose which one counts."""
    async with stage.client() as client:
        answer = await client.get(
            "/auth/session", headers={"cookie": f"__Host-ostiary={LIVE}; __Host-ostiary={LIVE}"}
        )
    assert answer.status_code == 401
    assert cleared(answer) == ["__Host-ostiary", "__Host-ostiary-csrf"]


async def test_the_guard_runs_before_validation(stage: Stage) -> None:
    """Nobody learns the shape of a body that they may not send."""
    async with stage.client() as client:
        answer = await client.post("/auth/guarded-notes", json={"wrong": 1})
    assert answer.status_code == 401


UNSAFE = [
    ("POST", "/auth/guarded"),
    ("DELETE", "/auth/sessions/1"),
    ("POST", "/auth/guarded-notes"),
    ("POST", "/auth/notes"),
]


@pytest.mark.parametrize(("method", "path"), UNSAFE)
async def test_a_cookie_needs_its_token(stage: Stage, method: str, path: str) -> None:
    """Missing, wrong, another session's or only in the cookie: 403 and nothing ran; right: it runs."""
    other = csrf_token(stage.core.ring, "1" * 26)
    async with stage.client() as client:
        for token in (None, "", "nonsense", "a.b", other, stage.csrf + "x", stage.csrf[:-1], "x" * 300):
            answer = await client.request(method, path, json=NOTE, headers=stage.cookies(csrf=token))
            assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
            assert cleared(answer) == []
        assert stage.ran == []
        answer = await client.request(method, path, json=NOTE, headers=stage.cookies(csrf=stage.csrf))
    assert answer.status_code < 300
    assert len(stage.ran) == 1


@pytest.mark.parametrize(
    "extra", [{"authorization": "Bearer x"}, {"x-api-key": "x"}, {"x-http-method-override": "GET"}]
)
async def test_no_other_header_lifts_the_check(stage: Stage, extra: dict[str, str]) -> None:
    """A cookie that could authenticate implies the check, whatever else is sent along."""
    async with stage.client() as client:
        answer = await client.post("/auth/guarded?_method=GET", json=NOTE, headers=stage.cookies() | extra)
    assert answer.status_code == 403
    assert stage.ran == []


async def test_the_header_must_equal_the_cookie(stage: Stage) -> None:
    """Double submit: the token alone, without its cookie, is not enough."""
    headers = {"cookie": f"__Host-ostiary={LIVE}", "x-csrf-token": stage.csrf}
    async with stage.client() as client:
        answer = await client.post("/auth/guarded", json={}, headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize(("fields", "status"), [(1, 200), (0, 403), (2, 403)])
async def test_a_form_carries_the_token_in_a_field(stage: Stage, fields: int, status: int) -> None:
    """Exactly one field of that name."""
    content = "&".join(["a=1"] + [f"csrf_token={stage.csrf}"] * fields)
    headers = stage.cookies() | {"content-type": "application/x-www-form-urlencoded"}
    async with stage.client() as client:
        answer = await client.post("/login", content=content, headers=headers)
    assert answer.status_code == status


async def test_a_dead_cookie_is_no_dead_end(stage: Stage) -> None:
    """Signing in with a stale cookie and no token works, and the cookie goes."""
    async with stage.client() as client:
        answer = await client.post("/auth/notes", json=NOTE, headers=stage.cookies(session=DEAD))
    assert answer.status_code == 202
    assert cleared(answer) == ["__Host-ostiary", "__Host-ostiary-csrf"]


async def test_csrf_fails_closed(stage: Stage) -> None:
    """When nobody can tell whether the session lives, nothing runs."""
    stage.sessions.is_down = True
    async with stage.client() as client:
        answer = await client.post("/auth/notes", json=NOTE, headers=stage.cookies())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert stage.ran == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 202),
        ({"origin": BASE}, 202),
        ({"origin": SPA, "sec-fetch-site": "same-site"}, 202),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 202),
    ],
)
async def test_unsafe_calls_come_from_our_own_pages(
    stage: Stage, headers: dict[str, str], status: int
) -> None:
    """Also without any cookie: signing somebody in from another site is an attack, too."""
    async with stage.client() as client:
        answer = await client.post("/auth/notes", json=NOTE, headers=headers)
    assert answer.status_code == status
    assert stage.ran == (["note"] if status == 202 else [])


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [(SPA, True), (BASE, False), ("https://evil.example", False), ("null", False), ("*", False)],
)
async def test_cors_is_for_the_front_ends(stage: Stage, origin: str, is_allowed: bool) -> None:
    """Preflight and answer name the front end exactly; nobody else is named, and every answer varies by origin."""
    ask = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-csrf-token",
    }
    async with stage.client() as client:
        preflight = await client.options("/auth/notes", headers=ask)
        answer = await client.get("/auth/session", headers={"origin": origin})
    assert preflight.status_code == 204
    for seen in (preflight, answer):
        assert seen.headers["vary"] == "Origin"
        assert seen.headers.get("access-control-allow-origin") == (origin if is_allowed else None)
        assert seen.headers.get("access-control-allow-credentials") == ("true" if is_allowed else None)
    if is_allowed:
        assert "X-CSRF-Token" in preflight.headers["access-control-allow-headers"]
        assert "RateLimit" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("path", ["/method", "/auth/json-method"])
async def test_head_is_get_without_the_body(stage: Stage, path: str) -> None:
    """No route ever sees HEAD and takes it for something that it is not."""
    async with stage.client() as client:
        get, head = await client.get(path), await client.head(path)
    assert head.content == b""
    assert head.status_code == 200
    assert head.headers["content-length"] == get.headers["content-length"]
    assert "HEAD" not in stage.ran


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/login", "GET, HEAD, OPTIONS, POST"),
        ("/auth/notes", "OPTIONS, POST"),
        ("/auth/sessions/1", "DELETE, OPTIONS"),
        ("/fail/x", "GET, HEAD, OPTIONS"),
    ],
)
async def test_options_says_what_is_allowed(stage: Stage, path: str, allow: str) -> None:
    """From the same table that finds the routes."""
    async with stage.client() as client:
        answer = await client.options(path)
    assert (answer.status_code, answer.headers["allow"]) == (204, allow)


async def test_the_document_lists_hot_and_json_routes(stage: Stage) -> None:
    """One OpenAPI document; pages stay out; errors are problems."""
    async with stage.client() as client:
        document = (await client.get("/auth/openapi.json")).json()
    assert {"/auth/session", "/auth/notes", "/auth/sessions/{session_id}", "/fail/{kind}"} <= document[
        "paths"
    ].keys()
    assert "/login" not in document["paths"]
    assert document["paths"]["/auth/session"]["get"]["summary"] == "Who am I"
    assert "HTTPValidationError" not in str(document)
    invalid = document["paths"]["/auth/notes"]["post"]["responses"]["422"]
    assert "application/problem+json" in invalid["content"]


async def test_the_table_lists_every_route(stage: Stage) -> None:
    """Hot and JSON, each with its access."""
    declared = set(stage.app.declared)
    assert Declared("GET", "/auth/session", "session") in declared
    assert Declared("DELETE", "/auth/sessions/{session_id}", "session") in declared
    assert Declared("POST", "/auth/notes", "public") in declared
    assert stage.app.owns("/auth/sessions/1")
    assert not stage.app.owns("/host/page")


async def endpoint(request: Request) -> Response:
    """A route."""
    return json_response({})


def sync_endpoint(request: Request) -> Any:
    """Not a coroutine function."""


def _router(path: str = "/x") -> APIRouter:
    router = APIRouter()
    router.get(path)(endpoint_json)
    return router


async def endpoint_json() -> None:
    """A JSON route."""


def _nested() -> APIRouter:
    router = APIRouter()
    router.include_router(_router())
    router.mount("/m", json_response({}))
    return router


@pytest.mark.parametrize(
    ("hot", "json"),
    [
        ([Hot("/x", ("GET",), endpoint, PUBLIC), Hot("/x", ("GET",), endpoint, PUBLIC)], []),
        ([Hot("/x/{a}", ("GET",), endpoint, PUBLIC), Hot("/x/{b}", ("GET",), endpoint, PUBLIC)], []),
        ([Hot("/x", ("GET",), sync_endpoint, PUBLIC)], []),
        ([Hot("/x", ("HEAD",), endpoint, PUBLIC)], []),
        ([Hot("/x", ("POST",), endpoint, PUBLIC)], [JsonRoutes(_router(), PUBLIC)]),
        ([Hot("/x/{a}", ("POST",), endpoint, PUBLIC)], [JsonRoutes(_router("/x/{b}"), PUBLIC)]),
        ([], [JsonRoutes(_router(), PUBLIC), JsonRoutes(_router(), PUBLIC)]),
        ([], [JsonRoutes(_nested(), PUBLIC)]),
    ],
)
def test_contradictions_are_refused_at_assembly(hot: list[Hot], json: list[JsonRoutes]) -> None:
    """Twice the same, two ways for one path, a hidden router: none of them starts."""
    with pytest.raises(Misuse):
        Table(hot, json)


async def test_websockets_are_closed(stage: Stage) -> None:
    """There is nothing to talk about."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await stage.app({"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_a_mount_point_is_not_part_of_the_path(stage: Stage) -> None:
    """Below a host's root path the same routes answer."""
    transport = httpx2.ASGITransport(app=stage.app, root_path="/sub")
    async with httpx2.AsyncClient(transport=transport, base_url=BASE) as client:
        assert (await client.get("/sub/method")).text == "GET"
        assert (await client.get("/sub/auth/json-method")).json() == {"method": "GET"}


async def test_a_server_may_ask_for_the_lifespan(stage: Stage) -> None:
    """The app itself has nothing to start or to stop, and says so."""
    asked = iter(["lifespan.startup", "lifespan.shutdown"])
    told: list[str] = []

    async def receive() -> dict[str, str]:
        return {"type": next(asked)}

    async def send(message: Any) -> None:
        told.append(message["type"])

    await stage.app({"type": "lifespan"}, receive, send)
    assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
