"""Owns what these tests share: asking for a link, finding it in the mail, using it."""

import re
from typing import Any, Final

import httpx2
import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.accounts.store import identifier
from ostiary.storage.statement import command
from ostiary.testing import Browser, Kit
from tests.core.signin.stage import changed
from tests.security.stage import drained

ANNA: Final = "anna@example.com"
NEW: Final = "another harbour seventeen lanterns"
NEWER: Final = "a third harbour with eleven lamps"
WRONG: Final = "wrong battery staple zebra"

_ADD_ADDRESS: Final = command(
    "test.add_address",
    sa.insert(identifier).values(
        kind="email",
        normal=bindparam("normal"),
        shown=bindparam("normal"),
        account_id=bindparam("account_id"),
        is_primary=0,
        verified_at=bindparam("verified_at"),
        created_at=1,
    ),
)


async def add_address(kit: Kit, account_id: str, address: str, verified_at: int | None) -> None:
    """One more address of an account, proven or not."""
    given = {"normal": address, "account_id": account_id, "verified_at": verified_at}
    await changed(kit, lambda change: change.run(_ADD_ADDRESS, **given))


async def forgot(kit: Kit, address: str = ANNA, ip: str = "192.0.2.10", **headers: str) -> httpx2.Response:
    """Ask for a link, as somebody who is not signed in."""
    return await kit.browser(ip).post("/auth/password/forgot", json={"email": address}, headers=headers)


def reset_mails(kit: Kit, address: str = ANNA) -> list[dict[str, Any]]:
    """The mails with a link that came to an address, the newest last."""
    found = [mail for mail in kit.mailbox.messages() if mail["to"] == address]
    return [mail for mail in found if mail["subject"].startswith("Choose a new password")]


def token_in(mail: dict[str, Any]) -> str:
    """The token of the link in a mail."""
    found = re.search(r"[?&]token=([\w-]+)", mail["text"])
    assert found is not None
    return found[1]


async def link(kit: Kit, address: str = ANNA, **given: Any) -> str:
    """Ask for a link, and take its token out of the mail."""
    before = len(reset_mails(kit, address))
    assert (await forgot(kit, address, **given)).status_code == 202
    await drained(kit)
    mails = reset_mails(kit, address)
    assert len(mails) == before + 1
    return token_in(mails[-1])


async def reset(kit: Kit, token: str, password: str = NEW, browser: Browser | None = None) -> httpx2.Response:
    """Use a link."""
    body = {"token": token, "new_password": password}
    return await (browser or kit.browser()).post("/auth/password/reset", json=body)


async def change(browser: Browser, new: str, current: str | None = None) -> httpx2.Response:
    """Change the password of whoever is signed in."""
    body = {"new_password": new} | ({"current_password": current} if current is not None else {})
    return await browser.post("/auth/password/change", json=body)


async def signs_in(kit: Kit, password: str, address: str = ANNA, ip: str = "192.0.2.77") -> int:
    """The status of a sign-in from a browser that nobody knows."""
    body = {"identifier": address, "password": password}
    return (await kit.browser(ip).post("/auth/login", json=body)).status_code


def codes(answer: httpx2.Response) -> list[str]:
    """The violations of a refused password, by code."""
    assert answer.status_code == 422, answer.text
    return [violation["code"] for violation in answer.json()["violations"]]
