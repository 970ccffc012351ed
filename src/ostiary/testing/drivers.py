"""Owns how tests walk through each way in and answer each second factor.

What must hold for all of them is asked of all of them by name, so whoever adds one writes its driver here; a test fails
while it is missing. Applications may use them, too: ``await enrol(kit, browser, address, "totp")``.
"""

import asyncio
import base64
import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

import httpx2

from ostiary.core.tokens.settings import COOKIE, TOKENS, Delivery
from ostiary.kernel.secret import Secret
from ostiary.protocols.totp import PERIOD, hotp, step_at
from ostiary.testing.authenticator import Amiss, SoftwareAuthenticator
from ostiary.testing.kit import PASSWORD, Browser, Kit
from ostiary.testing.passkeys import (
    account_of,
    answer_factor,
    authenticator_of,
    keep,
    options_for,
    sign_in,
    sign_in_options,
)

_PATIENCE: Final = 1000  # times 10 ms
_SIX_DIGITS: Final = re.compile(r"^\s*(\d{6})\s*$", re.MULTILINE)
_LINK: Final = re.compile(r"/login/link\?token=([\w-]+)")
_NO_BACKUP_CODE: Final = "0-0000-0000-0000-0000"


class WayDriver(Protocol):
    """Walks through one way in, as a person with a browser does.

    Attributes:
        name: As in `ways` of its rib.
        settings: What an engine needs, so that it is open.
        proves_mailbox: It shows that somebody reads the account's mailbox.
        is_multi_factor: It shows two factors at once, so that no other one is asked for.
        deliveries: How it can hand out the session; each method takes one of them.
    """

    name: str
    settings: Mapping[str, object]
    proves_mailbox: bool
    is_multi_factor: bool
    deliveries: tuple[Delivery, ...] = (COOKIE, TOKENS)

    async def prepare(self, kit: Kit, browser: Browser, address: str, delivery: Delivery = COOKIE) -> Any:
        """What comes before the door, such as asking for a link; an account with this address is there."""
        ...

    async def enter(
        self, browser: Browser, address: str, prepared: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Show the right thing."""
        ...

    async def miss(
        self, browser: Browser, address: str, prepared: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Show a wrong one."""
        ...


class FactorDriver(Protocol):
    """Adds one kind of second factor and answers with it. What an owner holds is whatever `begin` returns.

    Attributes:
        name: As in the `factors` of the API.
        settings: What an engine needs, so that it can be added.
    """

    name: str
    settings: Mapping[str, object]

    async def begin(self, kit: Kit, browser: Browser, address: str) -> Any:
        """Begin to add it in a browser that is freshly signed in; it does not count yet."""
        ...

    async def finish(self, kit: Kit, browser: Browser, held: Any) -> list[str]:
        """Let it count; the backup codes that came along."""
        ...

    async def answer(
        self, kit: Kit, browser: Browser, attempt: str, held: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """The right answer for a sign-in that waits; never one that was given before."""
        ...

    async def miss(
        self, kit: Kit, browser: Browser, attempt: str, held: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """A wrong answer."""
        ...


class PasswordDriver(WayDriver):
    """The password that the kit gives everybody."""

    name = "password"
    settings: Mapping[str, object] = {}
    proves_mailbox = False
    is_multi_factor = False

    async def prepare(self, kit: Kit, browser: Browser, address: str, delivery: Delivery = COOKIE) -> Any:
        """Nothing."""

    async def enter(
        self, browser: Browser, address: str, prepared: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Type it."""
        return await self._type(browser, address, PASSWORD, delivery)

    async def miss(
        self, browser: Browser, address: str, prepared: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Type another one."""
        return await self._type(browser, address, f"no {PASSWORD}", delivery)

    async def _type(
        self, browser: Browser, address: str, password: str, delivery: Delivery
    ) -> httpx2.Response:
        body = {"identifier": address, "password": password, "delivery": delivery}
        return await browser.post("/auth/login", json=body)


class MagicLinkDriver(WayDriver):
    """The link, in the browser or the program that asked for it."""

    name = "magic_link"
    settings: Mapping[str, object] = {"magic_link_per_address": "1000/h", "magic_link_per_network": "10000/h"}
    proves_mailbox = True
    is_multi_factor = False

    async def prepare(self, kit: Kit, browser: Browser, address: str, delivery: Delivery = COOKIE) -> Any:
        """Ask, and look into the mailbox."""
        seen = _seen(kit)
        asked = await browser.post("/auth/magic-link", json={"email": address, "delivery": delivery})
        asked.raise_for_status()
        return await _mailed(kit, address, _LINK, seen), asked.json().get("attempt")

    async def enter(
        self, browser: Browser, address: str, prepared: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Use it."""
        return await self._redeem(browser, {"token": prepared[0]}, prepared[1], delivery)

    async def miss(
        self, browser: Browser, address: str, prepared: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Type a code that the link does not show. One in a million is right: then the test is wrong, not the code."""
        return await self._redeem(browser, {"code": "000000"}, prepared[1], delivery)

    async def _redeem(
        self, browser: Browser, shown: dict[str, str], attempt: str | None, delivery: Delivery
    ) -> httpx2.Response:
        body = shown | {"delivery": delivery} | ({"attempt": attempt} if attempt else {})
        return await browser.post("/auth/magic-link/redeem", json=body)


class PasskeyDriver(WayDriver):
    """A passkey of a device that verifies its owner."""

    name = "passkey"
    settings: Mapping[str, object] = {}
    proves_mailbox = False
    is_multi_factor = True

    async def prepare(self, kit: Kit, browser: Browser, address: str, delivery: Delivery = COOKIE) -> Any:
        """Have the page ask for any passkey."""
        return kit, await authenticator_of(kit, address), await sign_in_options(browser, delivery)

    async def enter(
        self, browser: Browser, address: str, prepared: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Sign."""
        return await self._sign(browser, prepared, delivery, Amiss())

    async def miss(
        self, browser: Browser, address: str, prepared: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Sign something else."""
        return await self._sign(browser, prepared, delivery, Amiss(signs=b"something else"))

    async def _sign(
        self, browser: Browser, prepared: Any, delivery: Delivery, amiss: Amiss
    ) -> httpx2.Response:
        kit, authenticator, options = prepared
        return await sign_in(kit, browser, authenticator, options=options, amiss=amiss, delivery=delivery)


class TotpDriver(FactorDriver):
    """An authenticator app. What its owner holds is the secret, and the id until it counts."""

    name = "totp"
    settings: Mapping[str, object] = {"totp_enrolments_per_account": "1000/h"}

    async def begin(self, kit: Kit, browser: Browser, address: str) -> Any:
        """Read the secret into an app."""
        made = await browser.post("/auth/mfa/totp", json={"name": "Phone"})
        made.raise_for_status()
        return made.json()["id"], Secret(base64.b32decode(made.json()["secret"]))

    async def finish(self, kit: Kit, browser: Browser, held: Any) -> list[str]:
        """Type the first code."""
        done = await browser.post(f"/auth/mfa/totp/{held[0]}/confirm", json={"code": self._code(kit, held)})
        return _codes(done)

    async def answer(
        self, kit: Kit, browser: Browser, attempt: str, held: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Wait for a code that nobody has seen yet, and type it."""
        kit.clock.turn(2 * PERIOD)
        return await _send(browser, attempt, self.name, self._code(kit, held), delivery)

    async def miss(
        self, kit: Kit, browser: Browser, attempt: str, held: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Type what the app does not show anywhere near."""
        near = {self._code(kit, held, steps) for steps in range(-3, 4)}
        wrong = next(code for code in (f"{number:06d}" for number in range(10)) if code not in near)
        return await _send(browser, attempt, self.name, wrong, delivery)

    def _code(self, kit: Kit, held: Any, steps: int = 0) -> str:
        return hotp(held[1], step_at(kit.clock.now()) + steps).reveal()


class EmailCodeDriver(FactorDriver):
    """Codes by mail. What their owner holds is the mailbox."""

    name = "email_code"
    settings: Mapping[str, object] = {
        "email_code": True,
        "email_codes_per_account": "1000/h",
        "challenges_per_account": "1000/h",
    }

    async def begin(self, kit: Kit, browser: Browser, address: str) -> Any:
        """Have a code mailed."""
        seen = _seen(kit)
        (await browser.post("/auth/mfa/email-code")).raise_for_status()
        return address, await _mailed(kit, address, _SIX_DIGITS, seen)

    async def finish(self, kit: Kit, browser: Browser, held: Any) -> list[str]:
        """Type it."""
        return _codes(await browser.post("/auth/mfa/email-code/confirm", json={"code": held[1]}))

    async def answer(
        self, kit: Kit, browser: Browser, attempt: str, held: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Have one mailed for this sign-in, and type it."""
        seen = _seen(kit)
        asked = await browser.post(
            "/auth/login/challenge", json={"attempt": attempt, "factor": self.name, "delivery": delivery}
        )
        if asked.status_code != 202:
            return asked
        return await _send(
            browser, attempt, self.name, await _mailed(kit, held[0], _SIX_DIGITS, seen), delivery
        )

    async def miss(
        self, kit: Kit, browser: Browser, attempt: str, held: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Type one that was never mailed for this sign-in."""
        return await _send(browser, attempt, self.name, held[1], delivery)


class PasskeyFactorDriver(FactorDriver):
    """A passkey after something else. What its owner holds is the device, and what it answers while it is added."""

    name = "passkey"
    settings: Mapping[str, object] = {"challenges_per_account": "1000/h"}

    async def begin(self, kit: Kit, browser: Browser, address: str) -> Any:
        """Have a device make one."""
        options = await options_for(browser, "/auth/passkeys/register/options")
        authenticator = SoftwareAuthenticator()
        keep(await account_of(kit, address), authenticator)
        return authenticator, authenticator.create(options, kit.base_url)

    async def finish(self, kit: Kit, browser: Browser, held: Any) -> list[str]:
        """Hand it in."""
        return _codes(await browser.post("/auth/passkeys/register", json={"response": held[1]}))

    async def answer(
        self, kit: Kit, browser: Browser, attempt: str, held: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Have it sign for this sign-in."""
        return await answer_factor(kit, browser, attempt, held[0], delivery)

    async def miss(
        self, kit: Kit, browser: Browser, attempt: str, held: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Have it sign something else."""
        amiss = Amiss(signs=b"something else")
        return await answer_factor(kit, browser, attempt, held[0], delivery, amiss=amiss)


class BackupCodeDriver(FactorDriver):
    """Codes on paper. What their owner holds is what is not crossed out yet."""

    name = "backup_code"
    settings: Mapping[str, object] = {"backup_code_sets_per_account": "1000/h"}

    async def begin(self, kit: Kit, browser: Browser, address: str) -> Any:
        """Make new ones in place of those that came along with another factor."""
        return _codes(await browser.post("/auth/mfa/backup-codes"))

    async def finish(self, kit: Kit, browser: Browser, held: Any) -> list[str]:
        """They count from the beginning."""
        return list(held)

    async def answer(
        self, kit: Kit, browser: Browser, attempt: str, held: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Type the next one."""
        return await _send(browser, attempt, self.name, held.pop(), delivery)

    async def miss(
        self, kit: Kit, browser: Browser, attempt: str, held: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Type one that nobody has."""
        return await _send(browser, attempt, self.name, _NO_BACKUP_CODE, delivery)


WAYS: Final[Mapping[str, WayDriver]] = {
    one.name: one for one in (PasswordDriver(), MagicLinkDriver(), PasskeyDriver())
}
FACTORS: Final[Mapping[str, FactorDriver]] = {
    one.name: one for one in (PasskeyFactorDriver(), TotpDriver(), EmailCodeDriver(), BackupCodeDriver())
}


async def enrol(kit: Kit, browser: Browser, address: str, name: str) -> Any:
    """Add a second factor from beginning to end; returns what its owner holds."""
    driver = FACTORS[name]
    held = await driver.begin(kit, browser, address)
    await driver.finish(kit, browser, held)
    return held


async def _send(
    browser: Browser, attempt: str, factor: str, code: str, delivery: Delivery
) -> httpx2.Response:
    body = {"attempt": attempt, "factor": factor, "code": code, "delivery": delivery}
    return await browser.post("/auth/login/factor", json=body)


def _codes(answer: httpx2.Response) -> list[str]:
    answer.raise_for_status()
    codes: list[str] = answer.json()["backup_codes"]
    return codes


def _seen(kit: Kit) -> set[str]:
    return {mail["id"] for mail in kit.mailbox.messages()}


async def _mailed(kit: Kit, address: str, pattern: re.Pattern[str], seen: set[str]) -> str:
    """What the pattern finds in a mail to an address that was not seen before."""
    for _ in range(_PATIENCE):
        for mail in kit.mailbox.messages():
            found = pattern.search(mail["text"])
            if mail["to"] == address and mail["id"] not in seen and found:
                return found[1]
        await asyncio.sleep(0.01)
    raise AssertionError(f"no such mail came to {address}")
