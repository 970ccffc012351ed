"""A password from a breach is noticed at the sign-in by whoever can say so at once, and never holds it up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from ostiary.protocols.breach_range import fingerprint
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import login
from tests.features.password.stage import NEW, forgot, reset, reset_mails, token_in
from tests.features.risk.test_risk import FOUND
from tests.security.stage import drained
from tests.support.certificates import Authority
from tests.support.outside import Visit, outside

ANNA = "anna@example.com"


class Service:
    """A range service to which Anna's password becomes known, and which may stop answering."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked: list[str] = []

    async def __call__(self, visit: Visit) -> None:
        """Answer, once it may."""
        prefix = visit.line.split()[1].removeprefix("/range/")
        self.asked.append(prefix)
        await self.may_answer.wait()
        lines = [f"{one[5:]}:7\r\n" for one in self.known if one.startswith(prefix)]
        await visit.answer(("".join(lines) + "F" * 35 + ":0").encode())


@asynccontextmanager
async def stage(
    folder: Path, database: str, patch: pytest.MonkeyPatch, policy: str
) -> AsyncIterator[tuple[Kit, Service]]:
    """An engine that asks the service; Anna has signed up before the breach."""
    authority, service = Authority(folder), Service()
    patch.setenv("SSL_CERT_FILE", str(authority.path))
    async with (
        outside(service, tls=authority.server("127.0.0.1")) as server,
        running(
            folder,
            database=database,
            breached_passwords="range",
            breach_range_url=f"https://127.0.0.1:{server.port}/range/",
            breach_range_timeout="10s",
            outgoing_allow="127.0.0.1",
            outgoing_ports=str(server.port),
            risk_breached_password=policy,
        ) as kit,
    ):
        await kit.signed_up(ANNA)
        service.known.add(fingerprint(PASSWORD))
        kit.clock.turn(timedelta(minutes=10))  # what the service answered then is forgotten
        yield kit, service


async def make_known(kit: Kit) -> None:
    """Have the service's answer remembered by somebody who waits for it, so that no sign-in has to be quick."""
    answer = await kit.browser().post(
        "/auth/register", json={"email": "bert@example.com", "password": PASSWORD}
    )
    assert answer.json()["code"] == "password_breached"


async def test_it_is_told_and_a_silent_service_says_nothing(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right passwords alone are looked up; while nobody answers, everybody gets in and nothing is said (L35)."""
    async with stage(tmp_path, database_url, monkeypatch, "notify") as (kit, service):
        before = len(service.asked)
        assert (await login(kit.browser(), ANNA, "wrong")).status_code == 401
        assert (await login(kit.browser(), "nobody@example.com")).status_code == 401
        assert len(service.asked) == before
        service.may_answer.clear()
        assert (await login(kit.browser(), ANNA)).json()["status"] == "complete"
        assert len(service.asked) <= before + 1, "on a busy machine the time may be over before it was asked"
        assert await kit.engine.core.database.all(FOUND) == []
        service.may_answer.set()
        await make_known(kit)
        for _ in range(2):
            assert (await login(kit.browser(), ANNA)).json()["status"] == "complete"
        await drained(kit)
        found = await kit.engine.core.database.all(FOUND)
        assert [one["flags"] for one in found] == [["breached_password"]] * 2
        told = [mail for mail in kit.mailbox.messages() if mail["subject"].startswith("An unusual sign-in")]
        assert len(told) == 1, "once a day"
        assert "Choose another one." in told[0]["text"]
        assert PASSWORD not in orjson.dumps(found).decode()


async def test_a_policy_may_refuse_it(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `ask` the password alone is not enough; a reset by mail is the way to another one."""
    async with stage(tmp_path, database_url, monkeypatch, "ask") as (kit, _):
        await make_known(kit)
        refused = await login(kit.browser(), ANNA)
        assert (refused.status_code, refused.json()["code"]) == (403, "sign_in_suspicious")
        (await forgot(kit, ANNA)).raise_for_status()
        await drained(kit)
        (mail,) = reset_mails(kit)
        assert (await reset(kit, token_in(mail))).status_code == 200
        assert (await login(kit.browser(), ANNA, NEW)).json()["status"] == "complete"
