"""Owns what these tests share: a mail server, and one production server that several tests look at."""

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import httpx2
import pytest

from tests.core.mail.servers import MailServer, Temper, serve
from tests.support.server import Server, production, serving


@pytest.fixture
async def sink() -> AsyncIterator[MailServer]:
    """A real mail server that takes everything."""
    async with serve(Temper(), "none", ssl.create_default_context()) as server:
        yield server


@dataclass
class Site:
    """A production server behind one proxy, with the mail server that it uses.

    Attributes:
        server: The process.
        browser: A client that comes through the proxy by https.
        bare: A client that does not.
        sink: The mail server.
    """

    server: Server
    browser: httpx2.AsyncClient
    bare: httpx2.AsyncClient
    sink: MailServer


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Production as far as one machine goes: https base URL, a root secret in a file, SMTP."""
    folder: Path = tmp_path_factory.mktemp("site")
    settings = production()
    secret = folder / "root"
    secret.write_text(f"{settings.pop('root_secret')}\n")
    through = {"x-forwarded-proto": "https", "x-forwarded-for": "198.51.100.9"}
    async with serve(Temper(), "none", ssl.create_default_context()) as sink:
        settings |= {"smtp_port": sink.port, "root_secret_file": secret, "trusted_proxies": 1}
        async with (
            serving(folder, "--data", str(folder / "data"), **settings) as server,
            server.client(headers=through) as browser,
            server.client() as bare,
        ):
            yield Site(server, browser, bare, sink)


async def arrived(sink: MailServer, address: str, patience: float = 30) -> list[EmailMessage]:
    """The mails to an address, once there is one."""
    deadline = time.monotonic() + patience
    while not (found := [mail for mail in sink.accepted if mail["To"] == address]):
        assert time.monotonic() < deadline, f"no mail came to {address}"
        await asyncio.sleep(0.02)
    return found


def token_of(mail: EmailMessage) -> str:
    """The token in a verification mail's link."""
    text = mail.get_body(("plain",))
    assert text is not None
    found = re.search(r"[?&]token=([\w-]+)", text.get_content())
    assert found is not None
    return found[1]
