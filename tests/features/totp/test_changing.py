"""What guards an account is changed after a fresh sign-in that shows all of it, and its owner is told every time."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.features.totp.store import totp
from ostiary.storage.statement import Query, command
from ostiary.testing import Browser, Kit
from tests.core.signin.stage import account_id, changed, dump, journalled
from tests.features.totp.stage import ANNA, App, answer, begun, confirm, enrolled, login, waits

# What changes by itself: last seen, the way of mails, and what housekeeping takes away.
MOVING = ("session", "outbox", "once", "throttle", "address_claim")
_SECRETS = Query(
    "test.totp_secrets", sa.select(totp.c.id, totp.c.secret).order_by(totp.c.id), lambda *row: row
)
_SWAP = command(
    "test.totp_swap",
    sa.update(totp).where(totp.c.id == bindparam("of_id")).values(secret=bindparam("other")),
)


async def signed_in_fully(kit: Kit, app: App) -> Browser:
    """A browser that has shown password and code just now."""
    browser = kit.browser()
    (await login(browser, code=app.fresh_code())).raise_for_status()
    return browser


async def test_the_session_rises_under_a_new_id(kit: Kit) -> None:
    """Confirming the first app shows a second factor: the session gets it, and another id; the old one is dead."""
    browser = await kit.signed_in(ANNA)
    name = kit.engine.app.edge.cookies.session
    before, shown = browser.cookies[name], (await browser.get("/auth/session")).json()["session"]
    app = await enrolled(kit, browser)
    assert browser.cookies[name] != before
    after = (await browser.get("/auth/session")).json()["session"]
    assert after["id"] != shown["id"]
    assert (after["amr"], after["acr"]) == (["pwd", "otp", "mfa"], "2")
    assert (after["created_at"], after["expires_at"]) == (shown["created_at"], shown["expires_at"])
    old = kit.browser(cookies={name: before})
    assert (await old.get("/auth/session")).json()["code"] == "session_ended"
    assert (await browser.post("/auth/sessions/revoke-others")).status_code == 200, (
        "the CSRF token came along"
    )

    kit.clock.turn(timedelta(minutes=1))
    again = await begun(kit, browser)
    assert (await confirm(browser, again)).status_code == 200
    assert (await browser.get("/auth/session")).json()["session"]["id"] == after["id"], "it rose already"
    assert app.id != again.id


async def test_a_fresh_sign_in_is_needed(kit: Kit) -> None:
    """A quarter of an hour after the sign-in, nothing is begun, confirmed or removed, and nothing changes."""
    browser = await kit.signed_in(ANNA)
    app = await enrolled(kit, browser)
    kit.clock.turn(timedelta(minutes=14))
    pending = await begun(kit, browser)
    kit.clock.turn(timedelta(minutes=1, seconds=1))
    before = await dump(kit, without=MOVING)
    for refused in (
        await browser.post("/auth/mfa/totp"),
        await confirm(browser, pending),
        await browser.delete(f"/auth/mfa/totp/{app.id}"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (401, "fresh_authentication_required")
        assert refused.json()["max_age"] == 900
        assert 'max_age="900"' in refused.headers["www-authenticate"]
    assert await dump(kit, without=MOVING) == before


async def test_it_must_show_the_second_step(kit: Kit) -> None:
    """A fresh session from before the first app has shown less than the account can: it changes no factor (S-A21)."""
    browser = await kit.signed_in(ANNA)
    other = await kit.sign_in(ANNA)
    pending = await begun(kit, other)
    app = await begun(kit, browser)
    assert (await confirm(other, pending)).status_code == 404, "the newest alone waits"
    (await confirm(browser, app)).raise_for_status()
    for refused in (
        await other.post("/auth/mfa/totp"),
        await other.delete(f"/auth/mfa/totp/{app.id}"),
        await confirm(other, pending),
    ):
        assert (refused.status_code, refused.json()["code"]) == (401, "fresh_authentication_required")
        assert refused.json()["acr_values"] == "2"
        assert 'acr_values="2"' in refused.headers["www-authenticate"]
    full = await signed_in_fully(kit, app)
    assert (await full.delete(f"/auth/mfa/totp/{app.id}")).status_code == 204


async def test_removing_the_last_app(kit: Kit) -> None:
    """Signing in takes one step again, the session goes on, and the app's codes are worth nothing."""
    browser = await kit.signed_in(ANNA)
    app = await enrolled(kit, browser)
    assert (await browser.delete(f"/auth/mfa/totp/{app.id}")).status_code == 204
    assert (await browser.delete(f"/auth/mfa/totp/{app.id}")).status_code == 404
    assert (await browser.get("/auth/session")).status_code == 200
    assert (await login(kit.browser())).json()["status"] == "complete"
    assert (await dump(kit))["totp"] == []


async def test_removing_one_of_two(kit: Kit) -> None:
    """The removed app opens nothing any more, also not a sign-in that had begun before; the other one does."""
    browser = await kit.signed_in(ANNA)
    lost, kept = await enrolled(kit, browser), await enrolled(kit, browser)
    kit.clock.turn(timedelta(minutes=2))
    stranger = kit.browser()
    attempt = await waits(stranger)
    assert (await browser.delete(f"/auth/mfa/totp/{lost.id}")).status_code == 204
    assert (await answer(stranger, attempt, lost.code())).json()["code"] == "invalid_credentials"
    assert (await answer(stranger, attempt, kept.code())).status_code == 200


async def test_the_owner_is_told(kit: Kit) -> None:
    """Adding and removing send a mail each, with the name, and say what to do if it was somebody else."""
    browser = await kit.signed_in(ANNA)
    app = await enrolled(kit, browser, "Anna's <b>phone</b>")
    told = await kit.mail_to(ANNA, count=2)
    assert told["subject"] == "A second step was added to your ostiary account"
    assert "An authenticator app was added" in told["text"]
    assert "<b>phone" not in told["html"]
    await browser.delete(f"/auth/mfa/totp/{app.id}")
    told = await kit.mail_to(ANNA, count=3)
    assert told["subject"] == "A second step was removed from your ostiary account"
    assert "Was it not you?" in told["text"]
    assert "takes no second step any more" in told["text"]
    events = await journalled(kit)
    assert (events.count("factor_added"), events.count("factor_removed")) == (1, 1)


async def test_a_secret_is_bound_to_its_row(kit: Kit) -> None:
    """Whoever can write to the database cannot move a secret that he knows into another account."""
    anna, mallory = await kit.signed_in(ANNA), await kit.signed_in("mallory@example.com")
    annas, mallorys = await enrolled(kit, anna), await enrolled(kit, mallory)
    sealed = dict(await kit.engine.core.database.all(_SECRETS))
    await changed(kit, lambda change: change.run(_SWAP, of_id=annas.id, other=sealed[mallorys.id]))
    kit.clock.turn(timedelta(minutes=2))
    for code in (mallorys.code(), annas.code()):
        assert (await login(kit.browser(), code=code)).status_code == 401


async def test_an_operator_resets(kit: Kit) -> None:
    """Every factor goes, every session ends, and the owner is told."""
    browser = await kit.signed_in(ANNA)
    await enrolled(kit, browser)
    await begun(kit, browser)
    anna = await account_id(kit, ANNA)
    assert await changed(kit, lambda change: kit.engine.core.factors.reset(change, anna)) == (
        "totp",
        "backup_code",
    )
    assert (await browser.get("/auth/session")).status_code == 401
    assert (await dump(kit))["totp"] == []
    assert (await login(kit.browser())).json()["status"] == "complete"
    told = await kit.mail_to(ANNA, count=3)
    assert told["subject"] == "The second steps of your ostiary account were removed"
    assert await changed(kit, lambda change: kit.engine.core.factors.reset(change, anna)) == ()
    assert (await journalled(kit)).count("factors_reset") == 1
