"""`ostiary serve` as production runs it: probes, redirects, no mailbox, mails by SMTP, and rude clients."""

import asyncio
import sys
from pathlib import Path

import psycopg
import pytest

from ostiary.storage import migrate
from tests.core.mail.servers import MailServer
from tests.server.conftest import Site, arrived, token_of
from tests.support.ports import free_port
from tests.support.secrets import Secrets, dump_of
from tests.support.server import ROOT_SECRET, Server, production, serving

PASSWORD = "canary of the seventeenth lantern"


async def test_the_mailbox_is_not_there(site: Site) -> None:
    """Production shows no mails, by whatever name, method or header one asks."""
    for path in (
        "/dev/mailbox",
        "/dev/mailbox.json",
        "/dev/",
        "/dev/mailbox/",
        "/dev/mails",
        "/dev/mails/en/core/test_mail",
        "/dev/mails/en/core/test_mail/html",
        "/DEV/mailbox.json",
        "/dev%2fmailbox",
    ):
        for headers in ({}, {"host": "127.0.0.1"}, {"x-forwarded-host": "localhost"}):
            assert (await site.browser.get(path, headers=headers)).status_code in (400, 404), path
    assert (await site.browser.post("/dev/mailbox")).status_code == 404
    assert "/dev/" not in (await site.browser.get("/auth/openapi.json")).text


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
async def test_the_fast_loop_and_parser_run(site: Site) -> None:
    """uvicorn is started so that it takes uvloop and httptools; a loop of one's own would silently be asyncio's."""
    loaded = await asyncio.to_thread(Path(f"/proc/{site.server.process.pid}/maps").read_text)
    assert "/uvloop/loop." in loaded
    assert "/httptools/parser/" in loaded


async def test_http_is_redirected_to_the_base_url(site: Site) -> None:
    """Plain http gets 308 to the configured URL whatever Host says; only the probes answer by it."""
    for probe, words in (("/healthz", "ok\n"), ("/readyz", "ready\n")):
        answer = await site.bare.get(probe)
        assert (answer.status_code, answer.text) == (200, words)
    answer = await site.bare.get("/auth/session?a=1", headers={"host": "evil.example"})
    assert (answer.status_code, answer.headers["location"]) == (
        308,
        "https://auth.example.test/auth/session?a=1",
    )
    answer = await site.bare.post("/auth/login", json={})
    assert (answer.status_code, answer.headers["location"]) == (308, "https://auth.example.test/auth/login")
    assert (await site.browser.get("/auth/session")).status_code == 401


async def test_what_proxies_did_not_say_is_ignored(site: Site) -> None:
    """uvicorn itself believes no X-Forwarded-*, Forwarded or X-Real-IP; ostiary counts from the right (L08)."""
    for forged in (
        {"x-forwarded-proto": "https, http"},
        {"forwarded": "proto=https;for=203.0.113.5"},
        {"x-forwarded-ssl": "on", "x-real-ip": "203.0.113.5", "front-end-https": "on"},
    ):
        assert (await site.bare.get("/auth/session", headers=forged)).status_code == 308, forged
    await _sign_up(site, "proxied@example.com")
    headers = {"x-forwarded-for": "203.0.113.5, 198.51.100.23", "x-real-ip": "203.0.113.5"}
    credentials = {"identifier": "proxied@example.com", "password": PASSWORD}
    signed_in = await site.browser.post("/auth/login", json=credentials, headers=headers)
    cookies = {"cookie": "; ".join(f"{name}={value}" for name, value in signed_in.cookies.items())}
    sessions = (await site.browser.get("/auth/sessions", headers=cookies)).json()["sessions"]
    assert [session["ip"] for session in sessions] == ["198.51.100.23"]
    site.browser.cookies.clear()


async def _sign_up(site: Site, address: str) -> None:
    answer = await site.browser.post("/auth/register", json={"email": address, "password": PASSWORD})
    assert answer.status_code == 202
    (mail,) = await arrived(site.sink, address)
    answer = await site.browser.post("/auth/email/verify", json={"token": token_of(mail)})
    assert answer.status_code == 200


async def test_a_journey_by_smtp_leaves_no_secret(site: Site) -> None:
    """The verification mail comes by SMTP as it should be; stderr and the database show nothing secret (S-P2)."""
    await _sign_up(site, "anna@example.com")
    (mail,) = await arrived(site.sink, "anna@example.com")
    assert mail["From"] == "Example <no-reply@auth.example.test>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@auth.example.test>")
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    html = mail.get_body(("html",))
    assert html is not None
    assert f"https://auth.example.test/verify?token={token_of(mail)}" in html.get_content()

    wrong = "canary of the eighteenth lantern"
    credentials = {"identifier": "anna@example.com", "password": wrong}
    assert (await site.browser.post("/auth/login", json=credentials)).status_code == 401
    answer = await site.browser.post("/auth/login", json=credentials | {"password": PASSWORD})
    assert answer.json()["status"] == "complete"
    await site.browser.post("/auth/register", json={"email": "pending@example.com", "password": wrong})
    issued = Secrets()
    for secret in (
        PASSWORD,
        wrong,
        ROOT_SECRET,
        *(value.rpartition(".")[2] for value in answer.cookies.values()),
    ):
        issued.add(secret, "typed or issued")
    for each in site.sink.accepted:
        text = each.get_body(("plain",))
        assert text is not None
        issued.see_mail(text.get_content())
        assert PASSWORD not in each.as_string()
    database = dump_of(f"sqlite:///{site.server.log.parent / 'data' / 'ostiary.db'}")
    assert b"anna@example.com" in database
    assert issued.found_in(database) == []
    assert issued.found_in(site.server.log.read_bytes()) == []
    assert "backups  need both" in site.server.said
    assert "the root secret (kept apart from it)" in site.server.said
    site.browser.cookies.clear()


async def test_the_server_does_not_say_what_it_is(site: Site) -> None:
    """No Server or X-Powered-By header, neither on answers nor on refusals by the parser."""
    for answer in (await site.bare.get("/healthz"), await site.browser.get("/nowhere")):
        assert not {"server", "x-powered-by", "via"} & answer.headers.keys()
    status, head = await _raw(site, b"NONSENSE\r\n\r\n")
    assert status == 400
    assert b"server:" not in head.lower()


async def _raw(site: Site, sent: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(site.server.url.rpartition(":")[2]))
    try:
        writer.write(sent)
        head = await asyncio.wait_for(reader.read(65536), 30)
    finally:
        writer.close()
    return int(head.split()[1]) if head else 0, head


async def test_what_is_too_large_is_refused(site: Site) -> None:
    """A request line, headers or a body beyond all measure get 4xx or a closed connection, and nothing breaks."""
    for sent in (
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X-Many: a\r\n" * 20_000 + b"\r\n",
        b"POST /auth/login HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /auth/login HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n" + b"X-Many: a\r\n" * 20_000,
        b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
    ):
        try:
            status, _ = await _raw(site, sent)
        except ConnectionError:
            continue
        assert 400 <= status < 500, sent[:40]
    assert (await site.bare.get("/healthz")).status_code == 200


async def _send_for_ever(writer: asyncio.StreamWriter, more: bytes) -> None:
    for _ in range(1000):
        writer.write(more)
        await writer.drain()


async def test_headers_without_end_are_cut_off(site: Site) -> None:
    """Whoever sends headers, a request line or trailers for ever is hung up on before they fill memory (L28)."""
    chunked = b"POST /auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    for head, more in (
        (b"GET /", b"a" * 65536),
        (b"GET / HTTP/1.1\r\nX-Long: ", b"a" * 65536),
        (b"GET / HTTP/1.1\r\n", b"X-Many: a\r\n" * 6000),
        (chunked + b"X-Long: ", b"a" * 65536),
    ):
        _, writer = await asyncio.open_connection("127.0.0.1", int(site.server.url.rpartition(":")[2]))
        writer.write(head)
        with pytest.raises(ConnectionError):
            await _send_for_ever(writer, more)
        writer.transport.abort()
    assert (await site.bare.get("/healthz")).status_code == 200


async def test_half_requests_hold_nobody_up(site: Site) -> None:
    """Two hundred clients that send half a request line, half a header or half a body do not keep others waiting."""
    halves = (
        b"GET /auth/ses",
        b"GET /auth/session HTTP/1.1\r\nHost: x\r\nX-Fo",
        b"POST /auth/login HTTP/1.1\r\nX-Forwarded-Proto: https\r\nContent-Length: 9\r\n\r\n{",
    )
    port = int(site.server.url.rpartition(":")[2])
    slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
    try:
        for number, (_, writer) in enumerate(slow):
            writer.write(halves[number % len(halves)])
        async with asyncio.timeout(30):
            assert (await site.browser.get("/auth/session")).status_code == 401
            await _sign_up(site, "patient@example.com")
    finally:
        for _, writer in slow:
            writer.transport.abort()


async def test_a_mail_server_that_is_down_loses_nothing(
    sink: MailServer, postgres_url: str, tmp_path: Path
) -> None:
    """Sign-ups are answered while nobody takes mails; they come once somebody does, also after a restart.

    It starts on PostgreSQL because that was migrated before.
    """
    migrate.upgrade(postgres_url)
    down = production(free_port()) | {"trusted_proxies": 1, "database": postgres_url}
    through = {"x-forwarded-proto": "https"}
    async with serving(tmp_path, **down) as server, server.client(headers=through) as browser:
        for name in ("anna", "bert"):
            answer = await browser.post(
                "/auth/register", json={"email": f"{name}@example.com", "password": PASSWORD}
            )
            assert answer.status_code == 202
        await _says(server, "not delivered at try 1: connection failed")
        assert await server.stop() == 0
    assert "example.com" not in server.said, "the log names no recipients"
    with psycopg.connect(postgres_url) as connection:  # let the half minute pass that a failed delivery waits
        connection.execute("UPDATE outbox SET due_at = 0")
    up = down | {"smtp_port": sink.port}
    async with serving(tmp_path, **up) as server, server.client(headers=through) as browser:
        for name in ("anna", "bert"):
            (mail,) = await arrived(sink, f"{name}@example.com")
            answer = await browser.post("/auth/email/verify", json={"token": token_of(mail)})
            assert answer.status_code == 200


async def _says(server: Server, words: str) -> None:
    for _ in range(600):
        if words in server.said:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"the server did not say {words!r}")
