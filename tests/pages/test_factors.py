"""Two-step sign-in by pages alone, without a script: add an app, use it, lose it, and come back."""

from pathlib import Path
from urllib.parse import unquote

import pyotp

from ostiary.features.factors import flow
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.features.email_code.test_email_code import code
from tests.features.totp.stage import STEP
from tests.pages.reading import Page, Visitor, visitor

ANNA = "anna@example.com"
MAIL, CONFIRM = "/account/factors/email-code", "/account/factors/email-code/confirm"


async def _sign_in(kit: Kit) -> tuple[Visitor, Page]:
    anna = visitor(kit)
    return anna, await anna.submit(await anna.open("/login"), "/login", identifier=ANNA, password=PASSWORD)


async def test_add_use_lose_and_come_back(kit: Kit) -> None:
    """Scan, confirm, save the codes; sign in by code and by backup code; remove the lost app."""
    await kit.signed_up(ANNA)
    anna, _ = await _sign_in(kit)
    listed = await anna.open("/account/factors")
    assert "Whoever has your password can sign in." in listed.text
    ask = await anna.submit(
        await anna.open("/account/factors/totp/new"), "/account/factors/totp/new", name="<b>Phone</b>"
    )
    assert ask.heading == "Scan and confirm"
    uri = next(
        one.attributes["href"] for one in ask.tree.all("a") if one.attributes["href"].startswith("otpauth")
    )
    app = pyotp.parse_uri(uri)
    assert isinstance(app, pyotp.TOTP)
    assert app.secret == ask.tree.one("p", class_="key").text.replace(" ", "")
    here = ask.answer.url.path
    assert (await anna.open(here)).heading == "Scan and confirm", "loading it again shows it again"
    wrong = await anna.submit(ask, here, code="12345")
    assert (wrong.status, wrong.heading) == (422, "Scan and confirm")
    saved = await anna.submit(wrong, here, code=app.at(kit.clock.now()))
    assert saved.heading == "Save your backup codes"
    codes = [one.text for one in saved.tree.one("ol", id="codes").all("code")]
    assert len(codes) == 10
    link = saved.tree.one("a", download="backup-codes.txt").attributes["href"]
    assert unquote(link.partition(",")[2]).split()[1:] == codes
    assert (await anna.open(here)).status == 404, "the secret is not shown again"
    listed = await anna.open("/account/factors")
    assert "<b>Phone</b>" in listed.text
    assert "10 left" in listed.text

    kit.clock.turn(2 * STEP)
    anna, factor = await _sign_in(kit)
    assert factor.answer.url.path == "/login/factor"
    home = await anna.submit(factor, "/login/factor", code=app.at(kit.clock.now()))
    assert home.answer.url.path == "/account"

    anna, _ = await _sign_in(kit)
    spare = await anna.open("/login/factor?use=backup_code")
    home = await anna.submit(spare, "/login/factor", code=codes[0].lower())
    assert home.answer.url.path == "/account"
    listed = await anna.open("/account/factors")
    assert "9 left" in listed.text
    remove = next(
        one.attributes["href"] for one in listed.tree.all("a") if one.attributes["href"].endswith("/remove")
    )
    asked = await anna.open(remove)
    assert "It is the last one" in asked.text
    assert "Removed: authenticator app." in (await anna.submit(asked, remove)).text


async def test_codes_by_mail_on_and_off(database_url: str, tmp_path: Path) -> None:
    """Where the deployment allows it: mailed, typed, on; the sign-in takes one; off again. Elsewhere it is no page."""
    async with running(tmp_path, database=database_url, email_code=True) as kit:
        await kit.signed_up(ANNA)
        anna, _ = await _sign_in(kit)
        assert "Use codes by mail" in (await anna.open("/account/factors")).text
        explained = await anna.open(MAIL)
        assert ANNA in explained.tree.one("main").text
        asked = await anna.submit(explained, MAIL)
        assert asked.heading == "Type the code from the mail"
        again = await anna.submit(asked, MAIL)
        assert "We have sent another mail." in again.text
        wrong = await anna.submit(again, CONFIRM, code="12345")
        assert (wrong.status, wrong.title) == (422, "Error: Type the code from the mail · ostiary")
        saved = await anna.submit(wrong, CONFIRM, code=await code(kit, 2))
        assert saved.heading == "Save your backup codes"
        assert (await anna.open("/account")).status == 200, "the session has risen and goes on"
        listed = await anna.open("/account/factors")
        assert "Use codes by mail" not in listed.text
        assert "Codes by mail" in listed.text

        bert, factor = await _sign_in(kit)
        sent = await bert.submit(factor, "/login/factor/challenge")
        home = await bert.submit(sent, "/login/factor", code=await code(kit, 3))
        assert home.answer.url.path == "/account"
        off = await bert.submit(await bert.open(f"{MAIL}/remove"), f"{MAIL}/remove")
        assert "Removed: codes by mail." in off.text
        assert (await bert.open(f"{MAIL}/remove")).status == 404
    other = tmp_path / "other"
    other.mkdir()
    async with running(other) as kit:
        await kit.signed_up(ANNA)
        anna, _ = await _sign_in(kit)
        assert "Use codes by mail" not in (await anna.open("/account/factors")).text
        assert [(await anna.open(path)).status for path in (MAIL, CONFIRM)] == [404, 404]


async def test_new_codes_by_page(kit: Kit) -> None:
    """The page asks, and shows ten other codes."""
    await kit.signed_up(ANNA)
    anna, _ = await _sign_in(kit)
    new = "/account/factors/totp/new"
    ask = await anna.submit(await anna.open(new), new)
    uri = next(
        one.attributes["href"] for one in ask.tree.all("a") if one.attributes["href"].startswith("otpauth")
    )
    app = pyotp.parse_uri(uri)
    assert isinstance(app, pyotp.TOTP)
    first = await anna.submit(ask, ask.answer.url.path, code=app.at(kit.clock.now()))
    again = "/account/factors/backup-codes"
    second = await anna.submit(await anna.open(again), again)
    shown = [{one.text for one in page.tree.one("ol", id="codes").all("code")} for page in (first, second)]
    assert [len(one) for one in shown] == [10, 10]
    assert not shown[0] & shown[1]
    account = (await anna.browser.get("/auth/session")).json()["user"]["id"]
    assert await flow.reset(kit.engine.core, ANNA) == (account, ("totp", "backup_code"))
    assert (await anna.open("/account")).answer.url.path == "/login", "an operator's reset ends every session"
    assert (await _sign_in(kit))[1].answer.url.path == "/account"
