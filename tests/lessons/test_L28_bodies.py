"""L28: every body is bounded in size, depth and time, and says one thing only."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.http.body import DEEPEST, Body, check_target, parse_form, parse_json
from ostiary.http.visit import KEY
from ostiary.kernel.errors import Refused
from tests.http.stage import build

TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"nonsense", b'{"a":1}x', b'{"a":1,}', b"{'a':1}", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":1e999}',
        b'{"a":"\xff"}', b'{"a":"\\ud800"}', b'\xef\xbb\xbf{"a":1}', b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}',
        b'{"x":{"a":1,"a":2}}', b'{"a":123456789012345678901234567890}', b'{"a":9223372036854775808}', b'{"a":1e30}',
        b'{"a":' + b"9" * 5000 + b"}", b'{"a":"\x00"}', b'{"a":' + b"[" * DEEPEST + b"]" * DEEPEST + b"}",
        b"[" * 60_000, b"[" * 30_000 + b"]" * 30_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    ],
)  # fmt: skip
def test_json_that_parsers_disagree_about_is_refused(raw: bytes) -> None:
    """Syntax, encoding, repeated members, huge numbers and deep nesting are `malformed_json`."""
    with pytest.raises(Refused) as refused:
        parse_json(raw)
    assert refused.value.code.name == "malformed_json"


@pytest.mark.parametrize(
    ("raw", "loc"),
    [
        (b'{"name":"a\\u0000b"}', ["body", "name"]),
        (b'{"a":[{"b":"\\u0000"}]}', ["body", "a", 0, "b"]),
        (b'{"a\\u0000":1}', ["body"]),
        (b'{"password":["\\u0000"]}', ["body", "password", 0]),
    ],
)
def test_nul_is_refused_with_its_place(raw: bytes, loc: list[str | int]) -> None:
    """PostgreSQL's TEXT cannot hold it, so no flow ever sees it."""
    with pytest.raises(Refused) as refused:
        parse_json(raw)
    assert refused.value.code.name == "invalid_request"
    assert refused.value.details["errors"][0]["loc"] == loc


@pytest.mark.parametrize("name", ["password", "current_password", "new_password"])
def test_passwords_may_hold_anything(name: str) -> None:
    """A password is hashed and never stored, so every character counts."""
    assert parse_json(b'{"' + name.encode() + b'":"a\\u0000b"}') == {name: "a\0b"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
        max_leaves=12,
    )
)
def test_ordinary_json_passes(value: Any) -> None:
    """Strictness costs nobody a well-formed document, however its strings look."""
    assert parse_json(orjson.dumps(value)) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_parsed_or_refused(raw: bytes) -> None:
    """Nothing but `Refused` comes out of the parsers."""
    for parse in (parse_json, parse_form):
        with contextlib.suppress(Refused):
            parse(raw)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"a=%ff", "malformed_request"),
        (b"a=\xff", "malformed_request"),
        (b"&".join(b"a=1" for _ in range(500)), "malformed_request"),
        (b"a=%00", "invalid_request"),
        (b"%00=a", "invalid_request"),
    ],
)
def test_forms_are_bounded_too(raw: bytes, code: str) -> None:
    """Not UTF-8, too many fields, NUL."""
    with pytest.raises(Refused) as refused:
        parse_form(raw)
    assert refused.value.code.name == code


def test_a_form_keeps_order_and_repetition() -> None:
    """The route judges repeated fields."""
    assert parse_form(b"a=1&b=&a=%C3%A4&password=%00") == (
        ("a", "1"),
        ("b", ""),
        ("a", "ä"),
        ("password", "\0"),
    )


@pytest.mark.parametrize(
    ("path", "query"),
    [(b"/a%00", b""), (b"/a%ff", b""), (b"/", b"q=%00"), (b"/", b"q=%c3%28"), (b"/\xff", b"")],
)
def test_targets_hold_no_nul_and_no_broken_text(path: bytes, query: bytes) -> None:
    """The path and the query are text as well."""
    with pytest.raises(Refused) as refused:
        check_target(path, query)
    assert refused.value.code.name == "malformed_request"


@pytest.mark.parametrize(
    ("path", "headers", "content", "status", "code"),
    [
        ("/auth/notes", JSON, b'{"email":"a@b.example","email":"c@d.example"}', 400, "malformed_json"),
        ("/auth/notes", JSON, b"[]", 422, "invalid_request"),
        ("/auth/notes", JSON, b'"x"', 422, "invalid_request"),
        ("/auth/notes", JSON, b'{"x":"' + b"a" * 70_000 + b'"}', 413, "body_too_large"),
        ("/auth/notes", {"content-type": "text/plain"}, b"{}", 415, "unsupported_media_type"),
        ("/auth/notes", {}, b"{}", 415, "unsupported_media_type"),
        (
            "/auth/notes",
            {"content-type": "multipart/form-data; boundary=x"},
            b"--x",
            415,
            "unsupported_media_type",
        ),
        (
            "/auth/notes",
            {"content-type": "application/x-www-form-urlencoded"},
            b"a=1",
            415,
            "unsupported_media_type",
        ),
        (
            "/auth/notes",
            {"content-type": "application/json; charset=utf-16"},
            b"{}",
            415,
            "unsupported_media_type",
        ),
        ("/auth/notes", JSON | {"content-encoding": "gzip"}, b"x", 415, "unsupported_media_type"),
        ("/login", JSON, b"{}", 415, "unsupported_media_type"),
        ("/auth/notes?q=%00", JSON, b"{}", 400, "malformed_request"),
        ("/auth/notes", JSON | {"content-length": "-1"}, b"{}", 400, "malformed_request"),
        ("/auth/notes", JSON | {"content-length": "9" * 30}, b"{}", 400, "malformed_request"),
    ],
)
async def test_refused_before_the_route(
    path: str, headers: dict[str, str], content: bytes, status: int, code: str
) -> None:
    """The answer is a problem document, and nothing ran."""
    stage = await build()
    async with stage.client() as client:
        answer = await client.post(path, headers=headers, content=content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert stage.ran == []


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/scim+json"]
)
async def test_json_is_judged_and_replayed(kind: str) -> None:
    """Whoever reads the body after it was judged finds the same bytes."""
    stage = await build()
    async with stage.client() as client:
        answer = await client.post("/auth/echo", headers={"content-type": kind}, content=b'{"a": 1}')
    assert answer.json()["body"] == '{"a": 1}'


async def drive(body: Body, messages: list[Any]) -> None:
    """Run the middleware on a connection that says these things and then nothing."""

    async def receive() -> Any:
        return messages.pop(0) if messages else await asyncio.sleep(60)

    async def send(message: Any) -> None:
        raise AssertionError("nobody is answered here")

    visit = type("V", (), {"headers": {b"content-type": b"application/json"}, "takes_form": False})()
    scope = {"type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"", KEY: visit}
    await body(scope, receive, send)


async def unreachable(scope: Any, receive: Any, send: Any) -> None:
    """The inner app, which must not run."""
    raise AssertionError("the route ran")


async def test_a_stream_is_bounded_while_it_arrives() -> None:
    """Without a Content-Length the bytes are counted."""
    chunk = {"type": "http.request", "body": b"x" * 600, "more_body": True}
    with pytest.raises(Refused) as refused:
        await drive(Body(unreachable, 1000), [chunk, chunk, chunk])
    assert refused.value.code.name == "body_too_large"


async def test_a_slow_body_is_given_up() -> None:
    """The whole body has one deadline, however it trickles."""
    with pytest.raises(Refused) as refused:
        await drive(
            Body(unreachable, 1000, timedelta(milliseconds=30)),
            [{"type": "http.request", "body": b"{", "more_body": True}],
        )
    assert (refused.value.code.name, refused.value.code.status) == ("request_timeout", 408)


async def test_a_client_that_leaves_gets_no_answer() -> None:
    """A disconnect in the middle runs nothing and answers nothing."""
    await drive(
        Body(unreachable, 1000),
        [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}],
    )
