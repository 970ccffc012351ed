"""Owns what tests of authenticator apps share: an app that somebody else wrote, and short ways to use it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import pyotp

from ostiary.testing import Browser, Kit
from ostiary.testing.kit import PASSWORD

STEP = timedelta(seconds=30)
ANNA = "anna@example.com"


@dataclass
class App:
    """An authenticator app with one account in it, which reads the URI as apps do.

    Attributes:
        kit: Whose clock it follows.
        id: What we call it.
    """

    kit: Kit
    id: str
    totp: pyotp.TOTP

    def code(self, steps: int = 0) -> str:
        """The code that it shows now, or so many steps from now."""
        return self.totp.at(self.kit.clock.now() + steps * STEP)

    def wrong(self) -> str:
        """A code that it does not show anywhere near."""
        near = {self.code(steps) for steps in range(-3, 4)}
        return next(code for code in (f"{n:06d}" for n in range(10)) if code not in near)

    def fresh_code(self) -> str:
        """A code that nobody has used, since time has passed."""
        self.kit.clock.turn(2 * STEP)
        return self.code()


async def begun(kit: Kit, browser: Browser, name: str = "") -> App:
    """An app that has read the QR code and was not confirmed yet."""
    answer = await browser.post("/auth/mfa/totp", json={"name": name})
    answer.raise_for_status()
    read = pyotp.parse_uri(answer.json()["uri"])
    assert isinstance(read, pyotp.TOTP)
    return App(kit, answer.json()["id"], read)


async def confirm(browser: Browser, app: App, code: str | None = None) -> httpx2.Response:
    """Type the first code."""
    return await browser.post(
        f"/auth/mfa/totp/{app.id}/confirm", json={"code": app.code() if code is None else code}
    )


async def enrolled(kit: Kit, browser: Browser, name: str = "") -> App:
    """An app that counts; its present code is spent."""
    app = await begun(kit, browser, name)
    (await confirm(browser, app)).raise_for_status()
    return app


async def login(browser: Browser, address: str = ANNA, **more: Any) -> httpx2.Response:
    """One try with the right password."""
    return await browser.post("/auth/login", json={"identifier": address, "password": PASSWORD, **more})


async def waits(browser: Browser, address: str = ANNA) -> str:
    """A sign-in that waits for its second step."""
    answer = (await login(browser, address)).json()
    assert answer["status"] == "factor_required", answer
    attempt: str = answer["attempt"]
    return attempt


async def answer(browser: Browser, attempt: str, code: str, factor: str = "totp") -> httpx2.Response:
    """Give a second factor."""
    return await browser.post("/auth/login/factor", json={"attempt": attempt, "factor": factor, "code": code})
