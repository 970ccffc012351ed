"""`ostiary serve --dev` as a process: what it makes, what it says, what survives a restart, how it ends."""

import asyncio
import signal
import stat
from pathlib import Path

from tests.support.ports import free_port
from tests.support.server import mail_to, serving

PASSWORD = "quiet harbour seventeen lanterns"


def mode(path: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_journey_outlives_a_restart(tmp_path: Path) -> None:
    """A folder, a greeting, a mailbox; after SIGTERM and a new start sessions and mails are as they were."""
    data, port = tmp_path / "made" / "data", free_port()
    arguments = ("--dev", "--data", str(data))
    async with serving(tmp_path, *arguments, port=port) as server, server.client() as browser:
        assert (mode(data), mode(data / "root-secret")) == (0o700, 0o600)
        for line in (
            f"ostiary is ready on {server.url}\n",
            f"  mail     {server.url}/dev/mailbox  ",
            f"  backups  need both: the file {data / 'ostiary.db'} and the root secret {data / 'root-secret'}\n",
            "  this is DEVELOPMENT: plain http",
        ):
            assert line in server.said
        registered = await browser.post(
            "/auth/register", json={"email": "anna@example.com", "password": PASSWORD}
        )
        assert registered.status_code == 202
        mail = await mail_to(server, "anna@example.com")
        assert mail.keys() == {"id", "to", "subject", "language", "text", "html", "links", "at"}
        assert mail["links"][0].startswith(f"{server.url}/verify?token=")
        verified = await browser.post(
            "/auth/email/verify", json={"token": mail["links"][0].partition("=")[2]}
        )
        assert verified.status_code == 200
        credentials = {"identifier": "anna@example.com", "password": PASSWORD}
        assert (await browser.post("/auth/login", json=credentials)).json()["status"] == "complete"
        browser.headers["x-csrf-token"] = browser.cookies["ostiary-csrf"]
        await browser.post("/auth/register", json={"email": "bert@example.com", "password": PASSWORD})
        await mail_to(server, "bert@example.com")
        before = (await browser.get("/dev/mailbox.json")).json()
        assert [mail["to"] for mail in before] == ["anna@example.com", "bert@example.com"], "newest last"
        page = await browser.get("/dev/mailbox")
        assert page.text.index("bert@example.com") < page.text.index("anna@example.com"), "newest first"
        assert mode(data / "mailbox.jsonl") == 0o600
        assert PASSWORD not in server.said
        assert browser.cookies["ostiary"].rpartition(".")[2] not in server.said

        assert await server.stop() == 0
        secret = (data / "root-secret").read_text()
        async with serving(tmp_path, *arguments, port=port) as server:
            assert (await browser.get("/auth/session")).json()["user"]["email"] == "anna@example.com"
            assert (await browser.get("/dev/mailbox.json")).json() == before
            assert (data / "root-secret").read_text() == secret
            server.signal(signal.SIGINT)  # as a terminal's Ctrl-C sends it
            assert await server.ended() == 0
            assert "Traceback" not in server.said


async def test_sigterm_finishes_what_is_under_way(tmp_path: Path) -> None:
    """A request whose body is still coming in when SIGTERM arrives is answered; then the process exits with 0.

    What it wrote is its owner's alone, even in a folder that others may enter.
    """
    data = tmp_path / "open"
    data.mkdir(mode=0o755)
    async with serving(tmp_path, "--dev", "--data", str(data)) as server:
        body = b'{"email": "anna@example.com", "password": "quiet harbour seventeen lanterns"}'
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        head = "POST /auth/register HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:20])
        await writer.drain()
        async with server.client() as client:  # now the first request is under way, too
            assert (await client.get("/healthz")).status_code == 200
        server.signal(signal.SIGTERM)
        await _refuses_connections(server.url)
        writer.write(body[20:])
        assert (await reader.readline()).split()[1] == b"202"
        writer.close()
        assert await server.ended() == 0
    files = [path for path in data.iterdir() if path.is_file()]
    assert {path.name for path in files} >= {"ostiary.db", "root-secret"}
    assert [path.name for path in files if mode(path) & 0o077] == []


async def _refuses_connections(url: str) -> None:
    port = int(url.rpartition(":")[2])
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return
        writer.close()
        await asyncio.sleep(0.05)
    raise AssertionError("it still listens")
