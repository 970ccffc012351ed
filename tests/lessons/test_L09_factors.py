"""L09: passwords, codes from apps, by mail and on paper are counted together, wherever they come from."""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from ostiary.features.email_code.settings import EmailCodeSettings
from ostiary.features.signin import flow as signin
from ostiary.testing import Browser, Kit, running
from ostiary.testing.drivers import enrol
from tests.core.signin.stage import StoppedClock, journalled, session_rows
from tests.features.totp.stage import ANNA, App, answer, begun, confirm, login, waits
from tests.support.secrets import nothing_leaks

WRONG_BACKUP = "0-0000-0000-0000-0000"


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine whose clock stands."""
    async with running(tmp_path, database=database_url, clock=StoppedClock(), email_code=True) as kit:
        with nothing_leaks(kit):
            yield kit


async def enrolled(kit: Kit) -> tuple[App, list[str]]:
    """Anna's app and backup codes, beside codes by mail where they are on; what she did for them is long ago."""
    browser = await kit.signed_in(ANNA)
    app = await begun(kit, browser)
    codes: list[str] = (await confirm(browser, app)).json()["backup_codes"]
    if kit.engine.core.settings.of(EmailCodeSettings).email_code:
        await enrol(kit, browser, ANNA, "email_code")
    kit.clock.turn(timedelta(hours=2))
    return app, codes


class Guesser:
    """Tries everything that can be tried wrongly, each time from another network."""

    def __init__(self, kit: Kit, app: App) -> None:
        self._kit = kit
        self._app = app
        self._networks = iter(range(1, 200))

    def browser(self) -> Browser:
        """A browser somewhere else."""
        return self._kit.browser(f"198.51.100.{next(self._networks)}")

    async def guess(self, kind: str) -> int:
        """One wrong try; the status of its answer."""
        browser = self.browser()
        match kind:
            case "password":
                wrong = {"identifier": ANNA, "password": "not hers at all"}
                return (await browser.post("/auth/login", json=wrong)).status_code
            case "totp along":
                return (await login(browser, code=self._app.wrong())).status_code
            case "backup code along":
                return (await login(browser, code=WRONG_BACKUP)).status_code
            case "totp":
                code = self._app.wrong()
            case "backup_code":
                code = WRONG_BACKUP
            case "email_code":
                code = "000000"
            case "five digits":
                kind, code = "totp", "12345"
            case _:
                kind, code = "totp", ""
        begun = await login(browser)
        if begun.status_code != 200:
            return begun.status_code
        attempt = begun.json()["attempt"]
        if kind == "email_code":
            asked = {"attempt": attempt, "factor": kind}
            assert (await browser.post("/auth/login/challenge", json=asked)).status_code == 202
        return (await answer(browser, attempt, code, kind)).status_code


@pytest.mark.parametrize(
    "kinds",
    [
        ("password", "totp", "backup_code", "email_code"),
        ("totp",),
        ("email_code", "backup_code"),
        ("totp along", "backup code along"),
        ("five digits", "password", "nothing", "totp"),
        ("backup_code", "totp along", "password", "backup code along", "totp"),
    ],
    ids=" then ".join,
)
async def test_the_fifth_failure_of_any_kind_locks(kit: Kit, kinds: tuple[str, ...]) -> None:
    """Four wrong tries of whatever kind are answered as wrong, the fifth as well, and then nothing gets in, right or
    wrong; the right password before each code clears nothing. An operator ends the lock."""
    app, codes = await enrolled(kit)
    pending = kit.browser()
    attempt = await waits(pending)
    before = len(await session_rows(kit))
    guesser, order = Guesser(kit, app), cycle(kinds)
    assert [await guesser.guess(next(order)) for _ in range(5)] == [401] * 5
    assert (await journalled(kit)).count("account_locked") == 1
    for kind in dict.fromkeys(kinds):
        assert await guesser.guess(kind) == 429
    for code, factor in ((app.code(), "totp"), (codes[0], "backup_code")):
        assert (await answer(pending, attempt, code, factor)).status_code == 429
        assert (await login(guesser.browser(), code=code)).status_code == 429
    assert len(await session_rows(kit)) == before

    await signin.unlock(kit.engine.core, ANNA)
    kit.clock.turn(timedelta(seconds=3))  # so long a process remembers a refusal
    assert (await answer(pending, attempt, codes[0], "backup_code")).status_code == 200
    assert (await login(guesser.browser(), code=app.code())).status_code == 200


async def test_a_success_ends_the_count(kit: Kit) -> None:
    """Four failures of all kinds, a whole sign-in, four more: no lock."""
    app, codes = await enrolled(kit)
    guesser = Guesser(kit, app)
    for code in (app.code(), codes[0]):
        for kind in ("password", "totp", "backup_code", "totp along"):
            assert await guesser.guess(kind) == 401
        assert (await login(guesser.browser(), code=code)).status_code == 200
    assert "account_locked" not in await journalled(kit)


async def test_a_network_has_thirty_wrong_codes(database_url: str, tmp_path: Path) -> None:
    """Wrong codes of many accounts count together for their network, and right ones are then refused there, too."""
    given: dict[str, Any] = {"lock_after": 100, "delay_after": 1000, "known_browser_limit": 100}
    async with running(tmp_path, database=database_url, clock=StoppedClock(), **given) as kit:
        app, codes = await enrolled(kit)
        browser = kit.browser("203.0.113.9")
        attempt = await waits(browser)
        kinds = cycle([("totp", app.wrong()), ("backup_code", WRONG_BACKUP)])
        for _ in range(30):
            factor, code = next(kinds)
            assert (await answer(browser, attempt, code, factor)).status_code == 401
        kit.clock.turn(timedelta(seconds=4))
        refused = await answer(browser, attempt, codes[0], "backup_code")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
        elsewhere = kit.browser("203.0.113.10")
        assert (await answer(elsewhere, await waits(elsewhere), codes[0], "backup_code")).status_code == 200
