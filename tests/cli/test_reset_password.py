"""`ostiary users reset-password`: an operator has the link mailed, sees nothing of it, and chooses nothing (S-A17)."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ostiary.testing import running
from ostiary.testing.kit import PASSWORD
from tests.cli.test_command_line import Terminal, terminal
from tests.core.signin.stage import dump
from tests.features.password.stage import ANNA, NEW, reset, signs_in, token_in
from tests.security.stage import drained
from tests.support.server import ROOT_SECRET, production

__all__ = ["terminal"]  # a fixture


def test_the_owner_gets_the_link(terminal: Terminal, database_url: str, tmp_path: Path) -> None:
    """The mail reaches the owner alone; until its link is used nothing changes, and then everything old has ended."""

    async def before() -> dict[str, str]:
        async with running(tmp_path, database=database_url, root_secret=ROOT_SECRET) as kit:
            return dict((await kit.signed_in(ANNA)).cookies)

    async def after(said: str, cookies: dict[str, str]) -> None:
        async with running(tmp_path, database=database_url, root_secret=ROOT_SECRET) as kit:
            mail = await kit.mail_to(ANNA)
            assert "Whoever runs ostiary asks you to choose a new password." in mail["text"]
            token = token_in(mail)
            assert token not in said
            own = kit.browser(cookies=cookies)
            assert (await own.get("/auth/session")).status_code == 200
            assert await signs_in(kit, PASSWORD) == 200
            assert (await reset(kit, token)).status_code == 200
            assert (await own.get("/auth/session")).json()["code"] == "session_ended"
            assert [await signs_in(kit, one) for one in (PASSWORD, NEW)] == [401, 200]
            (row,) = [one for one in (await dump(kit))["journal"] if one[2] == "password_reset_requested"]
            assert row[-1] == '{"outcome":"mailed","by":"operator"}'

    cookies = asyncio.run(before())
    settings = {**production(), "database": database_url}
    done = terminal.run("users", "reset-password", "ANNA@example.com", "--json", **settings)
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out).keys() == {"account_id", "email"}
    asyncio.run(after(done.out, cookies))


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("nobody@example.com", "not_found"),
        ("waits@example.com", "not_found"),  # a registration: its own link or code makes the account
        ("anna", "invalid_request"),
    ],
)
def test_nobody_to_mail(terminal: Terminal, database_url: str, tmp_path: Path, typed: str, code: str) -> None:
    """Where no account may have a link the command says so, and nothing is written."""

    async def state(*, registers: bool) -> dict[str, list[tuple[Any, ...]]]:
        async with running(tmp_path, database=database_url, root_secret=ROOT_SECRET) as kit:
            if registers:
                body = {"email": "waits@example.com", "password": PASSWORD}
                (await kit.browser().post("/auth/register", json=body)).raise_for_status()
                await kit.mail_to("waits@example.com")
            await drained(kit)
            return await dump(kit)

    before = asyncio.run(state(registers=True))
    done = terminal.run("users", "reset-password", typed, **production(), database=database_url)
    assert (done.code, done.out) == (1, "")
    assert code in done.err or "address" in done.err
    assert asyncio.run(state(registers=False)) == before
