"""`ostiary users`: what an operator does for somebody who cannot get in, beside the servers that may be running."""

import asyncio
import json
from pathlib import Path

from ostiary.testing import Browser, Kit, running
from tests.cli.test_command_line import Terminal, terminal
from tests.core.signin.stage import journalled
from tests.features.totp.stage import ANNA, answer, enrolled, login
from tests.support.server import ROOT_SECRET, production

__all__ = ["terminal"]  # a fixture


async def _locked_out(url: str, folder: Path) -> None:
    """Anna has an app, and has locked her account by five wrong codes."""
    async with running(folder, database=url, root_secret=ROOT_SECRET) as kit:
        app = await enrolled(kit, await kit.signed_in(ANNA))
        for number in range(5):
            assert (await _second_step(kit, kit.browser(f"198.51.100.{number}"), app.wrong())) == 401
        assert (await login(kit.browser("198.51.100.9"))).status_code == 429


async def _second_step(kit: Kit, browser: Browser, code: str) -> int:
    """One wrong code; the status of its answer."""
    begun = (await login(browser)).json()
    return (await answer(browser, begun["attempt"], code)).status_code


async def _status(url: str, folder: Path) -> str:
    """What a right password is answered with."""
    async with running(folder, database=url, root_secret=ROOT_SECRET) as kit:
        answered = await login(kit.browser("203.0.113.1"))
        return str(answered.json().get("status", answered.status_code))


def test_locked_out_and_without_the_phone(terminal: Terminal, database_url: str, tmp_path: Path) -> None:
    """`unlock` ends the lock but not the second step; `reset-factors` ends that, and says what went; nobody else's."""
    given = production() | {"database": database_url}
    asyncio.run(_locked_out(database_url, tmp_path))
    assert asyncio.run(_status(database_url, tmp_path)) == "429"
    assert terminal.run("users", "unlock", "nobody@example.com", **given).code == 1
    assert terminal.run("users", "unlock", ANNA.upper(), **given).code == 0
    assert asyncio.run(_status(database_url, tmp_path)) == "factor_required"

    unknown = terminal.run("users", "reset-factors", "nobody@example.com", **given)
    assert (unknown.code, "Traceback" in unknown.err) == (1, False)
    assert asyncio.run(_status(database_url, tmp_path)) == "factor_required"
    reset = terminal.run("users", "reset-factors", ANNA, "--json", **given)
    assert json.loads(reset.out)["removed"] == ["totp", "backup_code"]
    assert asyncio.run(_status(database_url, tmp_path)) == "complete"
    again = terminal.run("users", "reset-factors", ANNA, **given)
    assert (again.code, again.out) == (0, f"{ANNA} had no second factor\n")


async def _signed_in(url: str, folder: Path) -> str:
    """Anna has an account, and is signed in with a cookie."""
    async with running(folder, database=url, root_secret=ROOT_SECRET) as kit:
        anna = await kit.signed_in(ANNA)
        return anna.cookies[kit.engine.app.edge.cookies.session]


async def _afterwards(url: str, folder: Path, cookie: str) -> tuple[int, list[str], list[str]]:
    """Whether the old cookie still works; then she signs in: what was mailed to her, and what happened."""
    async with running(folder, database=url, root_secret=ROOT_SECRET) as kit:
        old = kit.browser(cookies={kit.engine.app.edge.cookies.session: cookie})
        status = (await old.get("/auth/session")).status_code
        (await login(kit.browser())).raise_for_status()
        await kit.mail_to(ANNA, count=4)
        mails = kit.mailbox.messages()
        assert (
            len([mail for mail in mails if "Whoever runs" in mail["text"] and "Whoever runs" in mail["html"]])
            == 3
        )
        return status, [mail["subject"] for mail in mails], await journalled(kit)


def test_somebody_wants_his_data_and_to_leave(terminal: Terminal, database_url: str, tmp_path: Path) -> None:
    """`export` prints what his own page would give, `delete` begins the grace and ends his sessions; both tell him."""
    given = production() | {"database": database_url}
    cookie = asyncio.run(_signed_in(database_url, tmp_path))
    for command in ("export", "delete"):
        unknown = terminal.run("users", command, "nobody@example.com", **given)
        assert (unknown.code, "Traceback" in unknown.err) == (1, False)
    told = json.loads(terminal.run("users", "export", ANNA.upper(), **given).out)
    assert [row["value"] for row in told["identifiers"]] == [ANNA]
    assert told["activity"][0]["type"] == "account_exported"
    asked = json.loads(terminal.run("users", "delete", ANNA, "--json", **given).out)
    assert asked["account_id"] == told["account"]["id"]
    again = terminal.run("users", "delete", ANNA, **given)
    assert again.out.startswith(f"the account of {ANNA} will be deleted on ")
    status, subjects, events = asyncio.run(_afterwards(database_url, tmp_path, cookie))
    assert status == 401
    assert sorted(set(subjects)) == [
        "The data of your ostiary account were downloaded",
        "Your ostiary account stays",
        "Your ostiary account will be deleted",
    ]
    assert events[-1] == "account_deletion_undone"
