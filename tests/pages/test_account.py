"""The account's pages: who am I, how did I sign in, where am I signed in."""

import re
from datetime import datetime, timedelta
from pathlib import Path

from ostiary.engine.features import RIBS
from ostiary.http.rib import Rib
from ostiary.http.shell import AccountSection
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.pages.reading import OWN_FORM, Page, Visitor, session_cookie, visitor

ANNA = "anna@example.com"
PHONE = {"user-agent": "Mozilla/5.0 (Android 14; Mobile; rv:131.0) Gecko/131.0 Firefox/131.0"}


async def signed_in(kit: Kit, **given: object) -> Visitor:
    """Somebody who signed in through the page."""
    who = visitor(kit, **given)
    page = await who.submit(await who.open("/login"), "/login", identifier=ANNA, password=PASSWORD)
    assert page.answer.url.path == "/account"
    return who


async def test_the_overview_says_who_and_how(kit: Kit) -> None:
    """Name, address and whether it is confirmed, this sign-in and the last other one with method and device (A9)."""
    await kit.signed_up(ANNA, name="Anna")
    await signed_in(kit, ip="198.51.100.7", headers=PHONE)
    kit.clock.turn(timedelta(hours=3))
    anna = await signed_in(kit)
    page = await anna.open("/account")
    facts = {row.one("dt").text: row.one("dd").text for row in page.tree.one("dl").all("div")}
    assert facts["Name"] == "Anna"
    assert facts["E-mail address"] == f"{ANNA} Confirmed"
    assert facts["This sign-in"] == "Just now , with password"
    assert facts["Last other sign-in"].startswith("3 hours ago , with password Firefox Mobile 131 on")
    assert facts["Last other sign-in"].endswith("from 198.51.100.7")


async def test_devices_are_listed_and_signed_out(kit: Kit) -> None:
    """Each session with device, browser, address and moments; the phone is signed out after being asked, once."""
    await kit.signed_up(ANNA)
    phone = await signed_in(kit, ip="198.51.100.7", headers=PHONE)
    anna = await signed_in(kit)
    page = await anna.open("/account/sessions")
    mine, other = page.tree.one("ul", class_="rows").all("li")
    assert "This device" in mine.text
    assert "This device" not in other.text
    assert "Firefox Mobile 131 · from 198.51.100.7" in other.text
    for moment in other.all("time"):
        assert datetime.fromisoformat(moment.attributes["datetime"]).tzinfo is not None
    ask = await anna.open(other.one("a").attributes["href"])
    assert ask.heading == "Sign out this device?"
    assert (await phone.open("/account")).heading == "Your account"
    action = ask.tree.one("main").one("form").attributes["action"]
    after = await anna.submit(ask, action)
    assert "That device is signed out." in after.text
    assert len(after.tree.one("ul", class_="rows").all("li")) == 1
    gone = await phone.open("/account")
    assert (gone.heading, gone.answer.url.path) == ("Sign in", "/login")
    assert session_cookie(kit, phone) is None
    assert (await anna.submit(ask, action)).status == 404


async def test_all_others_are_signed_out_at_once(kit: Kit) -> None:
    """This device stays."""
    await kit.signed_up(ANNA)
    others = [await signed_in(kit) for _ in range(2)]
    anna = await signed_in(kit)
    ask = await anna.open("/account/sessions/end-others")
    assert "2 other devices have" in ask.text
    after = await anna.submit(ask, "/account/sessions/end-others")
    assert "All other devices are signed out." in after.text
    for other in others:
        assert (await other.open("/account")).heading == "Sign in"
    assert (await anna.open("/account")).heading == "Your account"


async def test_a_foreign_session_is_not_found(kit: Kit) -> None:
    """Neither asked about nor ended; the page says no more than for a session that never was (L19)."""
    await kit.signed_up(ANNA)
    bert = await kit.signed_in("bert@example.com")
    anna = await signed_in(kit)
    foreign = (await bert.get("/auth/session")).json()["session"]["id"]
    token = (await anna.open("/account")).tree.all("input", name="csrf_token")[0].attributes["value"]
    for session_id in (foreign, "0" * 26, "nonsense"):
        path = f"/account/sessions/{session_id}/end"
        assert (await anna.open(path)).status == 404
        page = Page(await anna.browser.post(path, data={"csrf_token": token}, headers=OWN_FORM))
        assert (page.status, page.heading) == (404, "Nothing is here")
    assert (await bert.get("/auth/session")).status_code == 200


async def test_signing_out_ends_the_session(kit: Kit) -> None:
    """The button ends it on the server, clears the cookie, says so, and can be pressed twice."""
    await kit.signed_up(ANNA)
    anna = await signed_in(kit)
    stolen = kit.browser(cookies=dict(anna.browser.cookies))
    page = await anna.open("/logout")
    out = await anna.submit(page, "/logout")
    assert (out.heading, out.answer.url.path) == ("Sign in", "/login")
    assert "You are signed out." in out.text
    assert session_cookie(kit, anna) is None
    assert (await stolen.get("/auth/session")).status_code == 401
    assert (await anna.submit(page, "/logout")).heading == "Sign in"
    assert (await anna.open("/logout")).heading == "Sign in"


async def test_without_a_session_every_account_page_asks_to_sign_in(kit: Kit) -> None:
    """The way leads back to the very page (D3), and a dead cookie is cleared on it (B1)."""
    await kit.signed_up(ANNA)
    anna = await signed_in(kit)
    other = await kit.sign_in(ANNA)
    await other.post("/auth/sessions/revoke-others")
    paths = {
        re.sub(r"{\w+}", "x", line.path)
        for line in kit.engine.app.declared
        if line.path.startswith("/account") and line.method == "GET" and line.access != "public"
    }
    assert {"/account", "/account/security", "/account/sessions"} < paths
    for number, path in enumerate(sorted(paths)):
        answer = await anna.browser.get(f"{path}?page=2")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={path}%3Fpage%3D2")
        if number == 0:
            assert session_cookie(kit, anna) is None
        answer = await anna.browser.post(path.replace("/account/security", "/account/sessions/end-others"))
        assert answer.status_code in (303, 405)


async def test_a_lost_token_cookie_is_replaced(kit: Kit) -> None:
    """Whoever lost the CSRF cookie, or has a foreign one, gets a page whose form works (E3)."""
    await kit.signed_up(ANNA)
    name = kit.engine.app.edge.cookies.csrf
    for broken in (None, "nonsense", "AAAAAAAA." + "a" * 43):
        anna = await signed_in(kit)
        del anna.browser.cookies[name]
        if broken is not None:
            anna.browser.cookies.set(name, broken, domain="auth.example.test")
        page = await anna.open("/account/sessions/end-others")
        if "form" in {one.tag for one in page.tree.one("main").walk()}:
            after = await anna.submit(page, "/account/sessions/end-others")
        else:
            after = await anna.submit(await anna.open("/logout"), "/logout")
        assert after.status == 200


async def test_ribs_bring_sections(tmp_path: Path) -> None:
    """What a rib contributes stands in the navigation in its order, and on the overview with its own words."""

    async def summary(*_: object) -> str:
        return "Three of them"

    rib = Rib(
        name="extra",
        account_sections=(
            AccountSection("keys", "Keys", 25, "/account/keys", "Your keys.", summary=summary),
            AccountSection("quiet", "Quiet", 99, "/account/quiet"),
        ),
    )
    async with running(tmp_path, ribs=(*RIBS, rib)) as kit:
        await kit.signed_up(ANNA)
        page = await (await signed_in(kit)).open("/account")
        names = [link.text for link in page.tree.one("nav").all("a")]
        assert names == [
            "Overview", "Profile", "E-mail", "Security", "Two-step sign-in", "Keys", "Trusted devices",
            "Devices", "Activity", "Roles", "API keys", "Your data", "Quiet",
        ]  # fmt: skip
        tiles = {
            tile.one("h2").text: tile.one("p").text for tile in page.tree.one("ul", class_="tiles").all("li")
        }
        assert tiles["Keys"] == "Three of them"
        assert tiles["Devices"] == "Signed in on this device only"
        assert "Quiet" not in tiles
        assert page.tree.one("a", aria_current="page").text == "Overview"
