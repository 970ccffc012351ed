"""Leaving in a real browser: all data in a file, the account to be deleted, and a change of mind."""

import json
from pathlib import Path

import pytest

from tests.browser.conftest import Seat
from tests.browser.person import account
from tests.support.server import Server, mail_to


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_leaving_and_coming_back(seat: Seat, site: Server, tmp_path: Path, scripts: bool) -> None:
    """The file holds the account; after asking every browser is signed out; signing in undoes it, and mails say so."""
    email = f"leaver-{scripts}@example.com"
    await account(site, email)
    person, other = await seat(java_script_enabled=scripts), await seat(java_script_enabled=scripts)
    await other.sign_in(email)
    await person.sign_in(email)
    await person.press("Your data", role="link")
    async with person.page.expect_download() as coming:
        await person.page.get_by_role("button", name="Download", exact=True).click()
    download = await coming.value
    await download.save_as(tmp_path / "mine.json")
    assert download.suggested_filename.startswith("account-")
    told = json.loads((tmp_path / "mine.json").read_text())
    assert [row["value"] for row in told["identifiers"]] == [email]
    await person.open("/account")
    await person.press("Delete this account", role="link")
    assert await person.heading() == "Delete this account?"
    await person.press("Delete the account")
    assert (person.path, await person.heading()) == ("/account/delete/done", "Your account will be deleted")
    await other.open("/account")
    assert (other.path, await other.heading()) == ("/login", "Sign in")
    mail = await mail_to(site, email, count=3)
    assert mail["subject"] == "Your ostiary account will be deleted"
    await person.press("Sign in", role="link")
    await person.sign_in(email)
    assert person.path == "/account"
    mail = await mail_to(site, email, count=4)
    assert mail["subject"] == "Your ostiary account stays"
