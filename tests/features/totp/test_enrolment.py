"""Adding an authenticator app: it counts once a code has shown that it has the secret, and not before."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import zxingcpp

from ostiary.core.accounts.accounts import Status
from ostiary.engine.features import RIBS
from ostiary.engine.wire import chores
from ostiary.features.totp.qr import qr_svg
from ostiary.kernel.secret import Secret
from ostiary.protocols.totp import otpauth_uri
from ostiary.testing import Kit, running
from tests.core.signin.stage import account_id, dump, journalled, set_status
from tests.features.tokens.stage import pair_of, refresh
from tests.features.totp.pixels import painted
from tests.features.totp.stage import ANNA, STEP, answer, begun, confirm, enrolled, login, waits


async def test_from_nothing_to_two_steps(kit: Kit) -> None:
    """The URI names site and address; after the first code, signing in takes a second step."""
    browser = await kit.signed_in(ANNA)
    made = (await browser.post("/auth/mfa/totp", json={"name": "  My Phone "})).json()
    assert made.keys() == {"id", "secret", "uri", "qr_svg"}
    assert made["uri"].startswith(f"otpauth://totp/ostiary:{ANNA}?secret={made['secret']}&")
    assert len(made["secret"]) == 32, "160 bits"
    assert (await login(kit.browser())).json()["status"] == "complete", (
        "it does not count before its first code"
    )

    app = await begun(kit, browser)
    assert (await confirm(browser, app)).json().keys() == {"backup_codes"}
    stranger = kit.browser()
    waiting = (await login(stranger)).json()
    assert (waiting["status"], waiting["factors"]) == ("factor_required", ["totp", "backup_code"])
    done = (await answer(stranger, waiting["attempt"], app.fresh_code())).json()
    assert (done["session"]["amr"], done["session"]["acr"]) == (["pwd", "otp", "mfa"], "2")


async def test_a_body_is_not_needed(kit: Kit) -> None:
    """The name is optional, and so is the body; unknown members are refused."""
    browser = await kit.signed_in(ANNA)
    assert (await browser.post("/auth/mfa/totp")).status_code == 200
    assert (await browser.post("/auth/mfa/totp", json={"secret": "mine"})).status_code == 422
    for name in ("x" * 61, "two\nlines", "\u202eenohp"):
        assert (await browser.post("/auth/mfa/totp", json={"name": name})).json()["code"] == "invalid_request"


async def test_a_wrong_code_confirms_nothing(kit: Kit) -> None:
    """Wrong, too short, too long, empty, foreign and old codes are refused alike, and nothing but counters changes."""
    browser = await kit.signed_in(ANNA)
    app = await begun(kit, browser)
    before = await dump(kit, without=("throttle", "journal", "outbox"))
    foreign = app.code().translate({ord("0") + digit: 0x0660 + digit for digit in range(10)})
    wrong = (app.wrong(), app.code()[:5], app.code() + "1", "", foreign, app.code(-2), app.code(2))
    answers = [await confirm(browser, app, code) for code in wrong]
    assert {(one.status_code, one.json()["code"]) for one in answers} == {(422, "totp_code_wrong")}
    assert await dump(kit, without=("throttle", "journal", "outbox")) == before
    assert (await journalled(kit)).count("totp_enrolment_failed") == len(wrong)
    assert (await confirm(browser, app)).status_code == 200


@pytest.mark.parametrize("steps", [-1, 0, 1])
async def test_a_clock_may_be_one_step_off(kit: Kit, steps: int) -> None:
    """The app's clock may be half a minute early or late, and spaces and dashes may stand in the code."""
    browser = await kit.signed_in(ANNA)
    app = await begun(kit, browser)
    code = app.code(steps)
    assert (await confirm(browser, app, f" {code[:3]} - {code[3:]} ")).status_code == 200


async def test_an_enrolment_waits_ten_minutes(kit: Kit) -> None:
    """After that there is nothing to confirm, and housekeeping leaves nothing of it."""
    browser = await kit.signed_in(ANNA)
    app = await begun(kit, browser)
    kit.clock.turn(timedelta(minutes=10))
    assert (await confirm(browser, app)).status_code == 404
    chore = next(one for one in chores(kit.engine.core, RIBS) if one.name == "unfinished authenticator apps")
    await chore.run(kit.engine.core.database, kit.engine.core.world)  # a worker may have been first
    assert (await dump(kit))["totp"] == []
    again = await enrolled(kit, browser)
    assert again.id != app.id
    assert await chore.run(kit.engine.core.database, kit.engine.core.world) == 0, "what counts is kept"


async def test_the_newest_enrolment_waits(kit: Kit) -> None:
    """Beginning again drops the older one, so there is one secret to be shown."""
    browser = await kit.signed_in(ANNA)
    older = await begun(kit, browser)
    newer = await begun(kit, browser)
    assert (await confirm(browser, older)).status_code == 404
    assert (await confirm(browser, newer)).status_code == 200


async def test_an_enrolment_is_confirmed_once(kit: Kit) -> None:
    """A second confirmation finds nothing that waits."""
    browser = await kit.signed_in(ANNA)
    app = await enrolled(kit, browser)
    assert (await confirm(browser, app, app.fresh_code())).status_code == 404


async def test_wrong_codes_are_throttled(kit: Kit) -> None:
    """Ten wrong codes in a quarter of an hour are enough, also over several enrolments; then the right one is not
    looked at."""
    browser = await kit.signed_in(ANNA)
    app = await begun(kit, browser)
    for number in range(10):
        if number == 5:
            app = await begun(kit, browser)
        assert (await confirm(browser, app, app.wrong())).status_code == 422
    refused = await confirm(browser, app)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
    assert int(refused.headers["retry-after"]) > 0


async def test_wrong_codes_are_throttled_by_network(database_url: str, tmp_path: Path) -> None:
    """They count with the wrong codes of sign-ins from the same network."""
    settings: dict[str, Any] = {"factor_failures_per_network": "3/15m"}
    async with running(tmp_path, database=database_url, **settings) as kit:
        browser = await kit.signed_in(ANNA)
        app = await begun(kit, browser)
        for _ in range(3):
            assert (await confirm(browser, app, app.wrong())).status_code == 422
        assert (await confirm(browser, app)).status_code == 429


async def test_beginning_is_throttled(kit: Kit) -> None:
    """Twenty enrolments in an hour, finished or not."""
    browser = await kit.signed_in(ANNA)
    for _ in range(20):
        await begun(kit, browser)
    assert (await browser.post("/auth/mfa/totp")).status_code == 429


async def test_enrolment_touches_no_lockout(kit: Kit) -> None:
    """Whoever holds a session can neither lock its owner out by wrong codes nor clear the count by right ones."""
    browser = await kit.signed_in(ANNA)
    app = await begun(kit, browser)
    for _ in range(6):
        await confirm(browser, app, app.wrong())
    assert (await login(kit.browser("198.51.100.1"))).status_code == 200
    for _ in range(4):
        wrong = {"identifier": ANNA, "password": "not hers at all"}
        assert (await kit.browser("198.51.100.2").post("/auth/login", json=wrong)).status_code == 401
    assert (await confirm(browser, app)).status_code == 200
    wrong = {"identifier": ANNA, "password": "not hers at all"}
    assert (await kit.browser("198.51.100.2").post("/auth/login", json=wrong)).status_code == 401
    assert "account_locked" in await journalled(kit), "the fifth failure in a row locks"


async def test_a_disabled_account_confirms_nothing(kit: Kit) -> None:
    """Disabling ends the session, and with it the enrolment."""
    browser = await kit.signed_in(ANNA)
    app = await begun(kit, browser)
    await set_status(kit, await account_id(kit, ANNA), Status.DISABLED)
    assert (await confirm(browser, app)).status_code == 401


async def test_there_is_an_end_to_apps(database_url: str, tmp_path: Path) -> None:
    """Every code is tried against every app, so their number is bounded."""
    async with running(tmp_path, database=database_url, totp_per_account=2) as kit:
        browser = await kit.signed_in(ANNA)
        for _ in range(2):
            await enrolled(kit, browser)
            kit.clock.turn(STEP)
        refused = await browser.post("/auth/mfa/totp")
        assert (refused.status_code, refused.json()["code"]) == (409, "totp_limit")


async def test_each_of_several_apps_opens(kit: Kit) -> None:
    """Two apps, two codes, each of them good once."""
    browser = await kit.signed_in(ANNA)
    phone, tablet = await enrolled(kit, browser, "Phone"), await enrolled(kit, browser, "Tablet")
    kit.clock.turn(2 * STEP)
    for app in (phone, tablet):
        stranger = kit.browser()
        code = app.code()
        assert (await answer(stranger, await waits(stranger), code)).status_code == 200
        assert (await login(kit.browser(), code=code)).status_code == 401


async def test_without_a_session_nothing_begins(kit: Kit) -> None:
    """Whoever is not signed in learns nothing and adds nothing."""
    await kit.signed_up(ANNA)
    for path in ("/auth/mfa/totp", "/auth/mfa/totp/x/confirm"):
        assert (await kit.browser().post(path, json={"code": "123456"})).status_code == 401


@pytest.mark.parametrize("site", ["ostiary", "Bäckerei & Söhne: der Laden", "x" * 60])
def test_a_camera_reads_the_picture(site: str) -> None:
    """A decoder that is not ours reads the URI back from the SVG."""
    uri = otpauth_uri(Secret(bytes(range(20))), site, "jürgen+" + "x" * 100 + "@example.com")
    read = zxingcpp.read_barcodes(painted(qr_svg(uri)))
    assert [one.text for one in read] == [uri.reveal()]


def test_the_picture_is_plain() -> None:
    """No script, style, link or other file: it stands in a page with the strictest policy."""
    svg = qr_svg(otpauth_uri(Secret(bytes(20)), "ostiary", ANNA))
    assert svg.startswith("<svg ")
    assert svg.count("<svg") == 1
    assert "<path" in svg
    for word in ("script", "style", "href", "url(", "<image", "<!", "<?", "on"):
        assert word not in svg.lower().replace('xmlns="http://www.w3.org/2000/svg"', ""), word


async def test_whoever_holds_tokens_stays_signed_in(kit: Kit) -> None:
    """The session does not go on under an id that nobody was told: its tokens go on, and there is no other one."""
    await kit.signed_up(ANNA)
    pair = await pair_of(kit)
    program = kit.browser(headers={"authorization": f"Bearer {pair['access_token']}"})
    assert (await confirm(program, await begun(kit, program))).json().keys() == {"backup_codes"}
    assert (await program.get("/auth/session")).json()["session"]["acr"] == "1", (
        "it rises at its next sign-in"
    )
    (only,) = (await program.get("/auth/sessions")).json()["sessions"]
    assert only["current"]
    assert (await refresh(kit, pair["refresh_token"])).status_code == 200
