"""`ostiary users`: what an operator does for somebody who cannot get in, beside the servers that may be running."""

import asyncio
import json
from pathlib import Path

from ostiary.testing import Browser, Kit, running
from tests.cli.test_command_line import Terminal, terminal
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
