"""A mail server in trouble costs nobody a link: requests are answered meanwhile, and every mail comes once, later."""

import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from ostiary.core.mail.mailbox import Mailbox
from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import load
from ostiary.kernel.world import World
from ostiary.testing import Kit, TurnedClock
from ostiary.testing.kit import CHEAP, PASSWORD
from tests.core.mail.servers import MailServer, Temper, serve, serve_rudely
from tests.core.outbox.places import ROWS, until, until_async
from tests.features.password.stage import ANNA, forgot, reset, signs_in, token_in
from tests.support.ports import free_port
from tests.support.server import production

TLS = ssl.create_default_context()


@asynccontextmanager
async def by_smtp(url: str, port: int) -> AsyncIterator[Kit]:
    """An engine that mails by SMTP, and is not patient."""
    clock = TurnedClock()
    world = World(clock)
    given: dict[str, Any] = {
        **production(port),
        "database": url,
        "auto_migrate": True,
        "mail_timeout": timedelta(seconds=1),
        "outbox_poll": timedelta(milliseconds=50),
        "outbox_parallel": 2,
    }
    engine = Engine(load(RIBS, world, given), RIBS, world, scheme=CHEAP)
    async with Kit(engine, clock, Mailbox(), given["base_url"]) as kit:
        yield kit


@asynccontextmanager
async def nobody_listens() -> AsyncIterator[None]:
    """The port is closed."""
    yield


def trouble(kind: str, port: int) -> AbstractAsyncContextManager[object]:
    """A mail server that takes nothing."""
    if kind == "nobody listens":
        return nobody_listens()
    if kind == "grey list":
        return serve(Temper(recipient=["451 4.7.1 come back later"] * 1000), "none", TLS, port=port)
    if kind == "refuses":
        return serve(Temper(sender=["421 4.3.2 closed for today"] * 1000), "none", TLS, port=port)
    return serve_rudely(kind, port)


def words(mail: EmailMessage) -> dict[str, Any]:
    """A mail as the mailbox shows it."""
    body = mail.get_body(("plain",))
    assert body is not None
    return {"subject": mail["Subject"], "text": body.get_content()}


def links(server: MailServer) -> list[dict[str, Any]]:
    """The mails with a link that a server has taken."""
    return [words(one) for one in server.accepted if str(one["Subject"]).startswith("Choose a new password")]


@pytest.mark.parametrize("kind", ["nobody listens", "refuses", "greet", "stall", "mid-data", "grey list"])
async def test_no_link_is_lost(database_url: str, kind: str) -> None:
    """Every request is answered while all places of the worker are taken by a server that stalls, refuses or drops."""
    port = free_port()
    async with by_smtp(database_url, port) as kit:
        async with serve(Temper(), "none", TLS, port=port) as server:
            body = {"email": ANNA, "password": PASSWORD}
            (await kit.browser().post("/auth/register", json=body)).raise_for_status()
            await until(lambda: server.accepted)
            proof = {"token": token_in(words(server.accepted[0]))}
            (await kit.browser().post("/auth/email/verify", json=proof)).raise_for_status()

        async with trouble(kind, port):
            answers = [await forgot(kit)]

            async def was_tried() -> bool:
                return any(row.attempts for row in await kit.engine.core.database.all(ROWS))

            await until_async(was_tried)
            answers += [await forgot(kit, one) for one in (ANNA, ANNA, ANNA, "nobody@example.com")]
            assert {(one.status_code, one.text) for one in answers} == {(202, '{"status":"reset_sent"}')}

            async def has_failed() -> bool:
                rows = await kit.engine.core.database.all(ROWS)
                return len(rows) == 3 and all(row.last_error for row in rows)

            await until_async(has_failed)

        async with serve(Temper(), "none", TLS, port=port) as server:
            kit.clock.turn(
                timedelta(minutes=30)
            )  # whichever try it was, the next one is due; the links are still good
            await until(lambda: len(links(server)) == 3)
            statuses = [(await reset(kit, token_in(mail))).status_code for mail in links(server)]
            assert sorted(statuses) == [200, 400, 400], "the newest link works, and only that one"
            await until(lambda: len(server.accepted) == 4)  # and the mail that tells of it
            assert len(links(server)) == 3
            assert await signs_in(kit, PASSWORD) == 401
