"""Trusted devices: what earns trust, what it spares and what it does not, and when it is over."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ostiary.core.accounts.accounts import Status
from ostiary.features.factors import flow as factors
from ostiary.features.trusted_devices import store
from ostiary.features.trusted_devices.cookie import hash_of, read, write
from ostiary.features.trusted_devices.flow import react
from ostiary.kernel.secret import Secret
from ostiary.testing import Browser, Kit, running
from ostiary.testing.authenticator import SoftwareAuthenticator
from ostiary.testing.kit import PASSWORD
from ostiary.testing.passkeys import add_passkey, sign_in
from tests.core.signin.stage import (
    MOMENT,
    StoppedClock,
    account_id,
    dump,
    journalled,
    login,
    set_status,
)
from tests.features.password.stage import NEW, NEWER, add_address, link
from tests.features.tokens.stage import code_of
from tests.features.totp.stage import enrolled
from tests.features.trusted_devices.stage import (
    ANNA,
    cookie,
    is_spared,
    planted,
    rows,
    said,
    step_two,
    trust,
    with_app,
)
from tests.security.stage import ask_as, drained
from tests.support.server import ROOT_SECRET

BERT = "bert@example.com"
MONTH = timedelta(days=30)
ROOMY: dict[str, Any] = {
    "lock_after": 100,
    "delay_after": 1000,
    "known_browser_limit": 100,
    "signin_failures_per_network": "1000/h",
    "sessions_per_account": 50,
}


@pytest.fixture
async def still(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """A running engine whose time passes only when it is turned."""
    async with running(tmp_path, database=database_url, clock=StoppedClock(), **ROOMY) as kit:
        yield kit


async def test_asked_once_then_spared(kit: Kit) -> None:
    """Both steps and the wish: from then on the password is enough in this browser and in no other, and the session
    says so. Every address is told; signing out ends nothing, and nothing is trusted that nobody wanted trusted."""
    app = await with_app(kit)
    await add_address(kit, await account_id(kit, ANNA), "anna@work.example.com", 1)
    browser = kit.browser(headers={"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Firefox/131.0"})
    await trust(browser, app, is_wanted=False)
    assert (cookie(kit, browser), await rows(kit)) == (None, [])
    asked = (await login(browser, ANNA)).json()
    assert asked["trust_for"] == MONTH.total_seconds()
    done = await step_two(browser, app, asked["attempt"])
    header = next(one for one in done.headers.get_list("set-cookie") if "-trust=" in one)
    assert header.startswith("__Host-ostiary-trust=")
    assert header.endswith(
        f"; Max-Age={MONTH // timedelta(seconds=1)}; Path=/; Secure; HttpOnly; SameSite=Lax"
    )
    (await browser.post("/auth/logout")).raise_for_status()
    assert await is_spared(browser)
    assert await is_spared(browser)
    assert not await is_spared(kit.browser())

    again = await login(browser, ANNA)
    (listed,) = (await browser.get("/auth/trusted-devices")).json()["trusted_devices"]
    assert listed["current"]
    assert (listed["device"], listed["browser"], listed["ip"]) == ("Linux", "Firefox 131", "192.0.2.10")
    assert listed["last_used_at"] == again.json()["session"]["created_at"]
    done_by = [one for one in await journalled(kit) if one.startswith("device_trust")]
    assert done_by == ["device_trusted"]
    await drained(kit)
    mails = [one for one in kit.mailbox.messages() if "without a second step" in one["subject"]]
    assert sorted(one["to"] for one in mails) == [ANNA, "anna@work.example.com"]
    assert all("Firefox 131 on Linux" in one["text"] for one in mails)
    (happened,) = [
        one
        for one in (await browser.get("/auth/account/activity")).json()["activity"]
        if one["type"] == "device_trusted"
    ]
    assert (
        happened["words"]
        == "You chose not to be asked for the second step on a device: Firefox 131 on Linux."
    )


async def test_what_earns_no_trust(still: Kit) -> None:
    """One step, a passkey that is both at once, a wrong code, tokens, and a sign-in that trust itself has shortened;
    a code that comes along with the password does, and so does a passkey in addition to something else."""
    kit, browser = still, still.browser()
    await kit.signed_up(BERT)
    assert (await login(browser, BERT, code="000000", trust_device=True)).json()["session"]["acr"] == "1"
    app = await with_app(kit)
    key = SoftwareAuthenticator()
    device = kit.browser()
    first = (await login(device, ANNA)).json()["attempt"]
    assert (await step_two(device, app, first, trust=False)).json()["session"]["acr"] == "2"
    await add_passkey(kit, device, key)
    alone = kit.browser()
    assert (await sign_in(kit, alone, key)).json()["session"]["acr"] == "2"
    program = kit.browser()
    asked = (await login(program, ANNA, delivery="tokens", code=app.fresh_code(), trust_device=True)).json()
    assert asked["access_token"]
    waits = (await login(program, ANNA, delivery="tokens")).json()
    assert waits["trust_for"] is None
    done = await step_two(program, app, waits["attempt"], delivery="tokens")
    assert (done.status_code, cookie(kit, program)) == (200, None)
    guesser = kit.browser()
    attempt = (await login(guesser, ANNA)).json()["attempt"]
    wrong = {"attempt": attempt, "factor": "totp", "code": app.wrong(), "trust_device": True}
    assert code_of(await guesser.post("/auth/login/factor", json=wrong)) == "invalid_credentials"
    assert await rows(kit) == []
    assert "device_trusted" not in await journalled(kit)

    assert (await login(browser, ANNA, code=app.fresh_code(), trust_device=True)).json()["session"][
        "acr"
    ] == "2"
    (given,) = await rows(kit)
    await browser.post("/auth/logout")
    spared = await login(browser, ANNA, trust_device=True)
    assert spared.json()["session"]["acr"] == "1"
    assert [one for one in spared.headers.get_list("set-cookie") if "-trust=" in one] == []
    assert [one[0] for one in await rows(kit)] == [given[0]]
    # Another time with both steps: this browser's trust begins anew, in place of the old one.
    await browser.post("/auth/logout")
    assert (await login(browser, ANNA, code=app.fresh_code(), trust_device=True)).status_code == 200
    (renewed,) = await rows(kit)
    assert renewed[0] != given[0]


async def test_it_ends_to_the_moment(still: Kit) -> None:
    """Thirty days after both steps, and not a moment before, however often it was used; then the row is swept."""
    app, browser = await with_app(still), still.browser()
    await trust(browser, app)
    value = cookie(still, browser) or ""
    still.clock.turn(MONTH / 2)
    assert await is_spared(browser)
    still.clock.turn(MONTH / 2 - MOMENT)
    assert await is_spared(browser)
    still.clock.turn(MOMENT)
    browser.cookies.set(still.engine.app.edge.cookies.trust, value)  # its age there is over, too
    assert not await is_spared(browser)
    database = still.engine.core.database
    assert len(await rows(still)) <= 1
    async with database.transaction() as tx:
        await tx.run(store.SWEEP, now=still.engine.core.world.micros(), batch=10)
    assert await rows(still) == []


async def _forget_one(kit: Kit, owner: Browser) -> None:
    (listed,) = (await owner.get("/auth/trusted-devices")).json()["trusted_devices"]
    assert not listed["current"]
    gone = await owner.delete(f"/auth/trusted-devices/{listed['id']}")
    assert gone.status_code == 204
    assert code_of(await owner.delete(f"/auth/trusted-devices/{listed['id']}")) == "not_found"


async def _forget_all(kit: Kit, owner: Browser) -> None:
    assert (await owner.delete("/auth/trusted-devices")).json() == {"ended": 1}


async def _codes(kit: Kit, owner: Browser) -> None:
    (await owner.post("/auth/mfa/backup-codes")).raise_for_status()


async def _remove(kit: Kit, owner: Browser) -> None:
    apps = [one for one in (await owner.get("/auth/mfa")).json()["factors"] if one["factor"] == "totp"]
    assert len(apps) == 2
    (await owner.delete(f"/auth/mfa/totp/{apps[1]['id']}")).raise_for_status()


async def _password(kit: Kit, owner: Browser) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW}
    (await owner.post("/auth/password/change", json=body)).raise_for_status()


async def _reset(kit: Kit, owner: Browser) -> None:
    body = {"token": await link(kit, ANNA), "new_password": NEWER}
    (await kit.browser().post("/auth/password/reset", json=body)).raise_for_status()


async def _disable(kit: Kit, owner: Browser) -> None:
    who = await account_id(kit, ANNA)
    await set_status(kit, who, Status.DISABLED)
    await set_status(kit, who, Status.ACTIVE)


async def _operator(kit: Kit, owner: Browser) -> None:
    await factors.reset(kit.engine.core, ANNA)
    assert await rows(kit) == []
    await enrolled(kit, await kit.sign_in(ANNA, NEWER))


# In this order: the owner who is signed in, a changed and a reset password, and then nobody is signed in any more.
ENDS = {
    "by_owner": (_forget_one, PASSWORD),
    "by_owner, all": (_forget_all, PASSWORD),
    "backup_codes_replaced": (_codes, PASSWORD),
    "factor_removed": (_remove, PASSWORD),
    "password_changed": (_password, NEW),
    "password_reset": (_reset, NEWER),
    "account_disabled": (_disable, NEWER),
    "factors_reset": (_operator, NEWER),
}


async def test_what_ends_it(still: Kit) -> None:
    """The owner, a new password, a removed or replaced second step, an operator, disabling: the row goes in the same
    change, the journal says why, and what the browser still has is worth nothing."""
    owner = await still.signed_in(ANNA)
    for name in ("Phone", "Spare"):
        await enrolled(still, owner, name)
    for why, (end, password) in ENDS.items():
        value = await planted(still, ANNA)
        assert len(await rows(still)) == 1
        await end(still, owner)
        assert await rows(still) == [], why
        again = still.browser(cookies={still.engine.app.edge.cookies.trust: value})
        assert not await is_spared(again, password=password), why
    ended = await said(still)
    assert sorted(one["why"] for one in ended) == sorted(why.partition(",")[0] for why in ENDS)
    assert all(len(one["devices"]) == 1 for one in ended)
    types = still.engine.core.runner.reactions.types.values()
    assert not [
        one.name
        for one in types
        if one.ends_sessions and react not in still.engine.core.runner.reactions.to(one)
    ]


async def test_what_a_thief_presents(still: Kit) -> None:
    """Another account's cookie, its own with another secret or the hash of it, a session's, nonsense, and one that came
    twice: the answer is the one of a browser that brings nothing, and nothing is written."""
    anna, bert = await with_app(still), await with_app(still, BERT)
    browser, his = still.browser(), still.browser()
    await trust(browser, anna)
    await trust(his, bert, BERT)
    await drained(still)
    value = cookie(still, browser) or ""
    device_id, _, secret = value.partition(".")
    other = cookie(still, his) or ""
    session = (await still.signed_in("carol@example.com")).cookies[still.engine.app.edge.cookies.session]
    await drained(still)
    body = {"identifier": ANNA, "password": PASSWORD, "trust_device": True}
    before = await dump(still, without=("throttle", "journal", "once"))
    plain = await ask_as(still.browser(), still, "/auth/login", body)
    shown = {
        "another account's": other,
        "another secret": f"{device_id}.{secret[::-1]}",
        "another id": f"{other[: len(device_id)]}.{secret}",
        "the id alone": device_id,
        "a secret too many": f"{value}{secret}",
        "a session's": session,
        "the hash": f"{device_id}.{hash_of(device_id, next(iter(read(value).values()))).hex()[:43]}",
        "many": "~".join([other] * 30 + [value]),
        "separators": "~.~..~~",
    }
    for what, presented in shown.items():
        thief = still.browser(cookies={still.engine.app.edge.cookies.trust: presented})
        answer = await ask_as(thief, still, "/auth/login", body)
        assert (answer.status, answer.body["status"]) == (200, "factor_required"), what
        assert (answer.body.keys(), answer.headers) == (plain.body.keys(), plain.headers), what
    twice = f"__Host-ostiary-trust={value}; __Host-ostiary-trust={value}"
    answered = await still.browser().post("/auth/login", json=body, headers={"cookie": twice})
    assert answered.json()["status"] == "factor_required"
    assert await dump(still, without=("throttle", "journal", "once")) == before
    assert await is_spared(browser)


async def test_it_is_no_proof_of_anything(still: Kit) -> None:
    """What guards the account asks for the second step; signing in again for that asks for it although the device is
    trusted, so nobody goes round in a circle; and neither that nor a sign-in of somebody else's changes the trust."""
    app, browser = await with_app(still), still.browser()
    await trust(browser, app)
    await login(browser, ANNA)
    refused = await browser.post("/auth/emails", json={"email": "more@example.com"})
    assert code_of(refused) == "fresh_authentication_required"
    assert 'acr_values="2"' in refused.headers["www-authenticate"]
    page = await browser.get("/account/emails/add")
    assert page.headers["location"].startswith("/login?")
    asked = (await login(browser, ANNA)).json()
    assert asked["status"] == "factor_required"
    assert (await browser.get("/auth/session")).json()["session"]["acr"] == "1", (
        "and the old one lives until then"
    )
    assert (await step_two(browser, app, asked["attempt"], trust=False)).json()["session"]["acr"] == "2"
    assert (await browser.post("/auth/emails", json={"email": "more@example.com"})).status_code == 202
    await browser.post("/auth/logout")
    assert await is_spared(browser)
    # In the same browser somebody else is signed in: the trust is Anna's own, and it is her who signs in.
    await still.signed_up(BERT)
    await login(browser, BERT)
    assert await is_spared(browser)


async def test_a_familys_tablet(database_url: str, tmp_path: Path) -> None:
    """Two accounts trust one browser, each for itself; of one account's browsers the oldest goes, and nobody else's."""
    given: dict[str, Any] = {"trusted_devices_per_account": 2, **ROOMY}
    async with running(tmp_path, database=database_url, clock=StoppedClock(), **given) as kit:
        anna, bert = await with_app(kit), await with_app(kit, BERT)
        tablet = kit.browser()
        await trust(tablet, bert, BERT)
        browsers = [tablet, kit.browser(), kit.browser()]
        for one in browsers:
            await trust(one, anna)
        assert [await is_spared(one) for one in browsers] == [False, True, True]
        assert await is_spared(tablet, BERT)
        assert len(await rows(kit)) == 3


async def test_forgotten_while_signing_in(still: Kit) -> None:
    """Tabs that sign in at the same moment all keep it, since use changes nothing in the cookie. At the moment of its
    end each is let in before it or asked after it, and what waited for its second step before needs it after."""
    app, browser = await with_app(still), still.browser()
    owner = still.browser()
    asked = (await login(owner, ANNA, code=app.fresh_code())).json()
    assert asked["session"]["acr"] == "2"
    await trust(browser, app)
    stranger = still.browser()
    waits = (await login(stranger, ANNA)).json()["attempt"]
    value = cookie(still, browser) or ""
    name = still.engine.app.edge.cookies.trust
    tabs = [still.browser(cookies={name: value}) for _ in range(6)]
    together = await asyncio.gather(*(login(tab, ANNA) for tab in tabs))
    assert {one.json()["status"] for one in together} == {"complete"}
    for tab in tabs:
        await tab.post("/auth/logout")
    answers = await asyncio.gather(
        *(login(tab, ANNA) for tab in tabs[:3]),
        owner.delete("/auth/trusted-devices"),
        *(login(tab, ANNA) for tab in tabs[3:]),
    )
    told = [one.json()["status"] for one in (*answers[:3], *answers[4:])]
    assert set(told) <= {"complete", "factor_required"}
    assert answers[3].json() == {"ended": 1}
    stranger.cookies.set(name, value)
    empty = await stranger.post("/auth/login/factor", json={"attempt": waits, "factor": "totp", "code": ""})
    assert code_of(empty) == "invalid_credentials"
    for tab in tabs:
        await tab.post("/auth/logout")
        assert not await is_spared(tab)


async def test_where_a_second_step_is_required(database_url: str, tmp_path: Path) -> None:
    """Trust spares it there, too, unless the deployment says no or something is unusual; a session that it let in is
    refreshed for as long as the device is trusted, and others are not."""
    clock = StoppedClock()
    given: dict[str, Any] = {
        "database": database_url,
        "clock": clock,
        "root_secret": ROOT_SECRET,
        "token_cookies": True,
    }
    pair = {"delivery": "token_cookies"}
    async with running(tmp_path, **given) as kit:
        app = await with_app(kit)
    async with running(tmp_path, **given, require_factor="everybody", factor_grace="0s") as kit:
        app.kit = kit
        browser, other = kit.browser(), kit.browser()
        await trust(browser, app)
        await trust(other, app)
        one, two = (await login(browser, ANNA, **pair)).json(), (await login(other, ANNA, **pair)).json()
        assert [one["session"]["acr"], two["session"]["acr"]] == ["1", "1"]
        kit.clock.turn(timedelta(minutes=30))
        assert (await browser.post("/auth/refresh")).status_code == 200
        (here,) = [
            item
            for item in (await browser.get("/auth/trusted-devices")).json()["trusted_devices"]
            if item["current"]
        ]
        assert (await browser.delete(f"/auth/trusted-devices/{here['id']}")).status_code == 204
        assert code_of(await browser.post("/auth/refresh")) == "session_ended"
        assert (await other.post("/auth/refresh")).status_code == 200
        (await other.post("/auth/logout")).raise_for_status()
        await trust(browser, app)
        value = cookie(kit, browser) or ""

    async def asked_again(kit: Kit) -> tuple[Browser, dict[str, Any]]:
        again = kit.browser(cookies={kit.engine.app.edge.cookies.trust: value})
        return again, (await login(again, ANNA)).json()

    roles: dict[str, Any] = {"require_factor": "roles", "require_factor_roles": ("admin",)}
    async with running(tmp_path, **given, trusted_devices="unless_required", **roles) as kit:
        _, told = await asked_again(kit)
        assert told["status"] == "complete", "of her nothing is required"
    async with running(
        tmp_path, **given, trusted_devices="unless_required", require_factor="everybody"
    ) as kit:
        again, told = await asked_again(kit)
        assert (told["status"], told["trust_for"]) == ("factor_required", None)
        before = await rows(kit)
        app.kit = kit
        assert (await step_two(again, app, told["attempt"])).json()["session"]["acr"] == "2"
        assert await rows(kit) == before
        assert "second step on every device" in (await again.get("/account/trusted-devices")).text
    networks = tmp_path / "networks.txt"
    networks.write_text("198.51.100.0/24\n")
    async with running(tmp_path, **given, risk_networks_file=networks) as kit:
        assert (await asked_again(kit))[1]["status"] == "complete"
        far = kit.browser("198.51.100.7", cookies={kit.engine.app.edge.cookies.trust: value})
        assert (await login(far, ANNA)).json()["status"] == "factor_required", "from there trust is none"
    async with running(tmp_path, **given, trusted_devices="off") as kit:
        _, told = await asked_again(kit)
        assert (told["status"], told["trust_for"]) == ("factor_required", None)


def test_the_text_of_the_cookie() -> None:
    """What is written is read again, the latest first, five at most; the same id is there once."""
    kept: dict[str, Secret] = {}
    for number in range(7):
        value = write(f"{number:026}", Secret(f"{number:043}"), kept).reveal()
        kept = read(value)
        assert next(iter(kept)) == f"{number:026}"
    assert [one.strip("0") for one in kept] == ["6", "5", "4", "3", "2"]
    again = read(write(f"{3:026}", Secret("x" * 43), kept).reveal())
    assert list(again) == [f"{number:026}" for number in (3, 6, 5, 4, 2)]
    for nonsense in (None, "", "~", ".", "a.b", "~" * 5000, "x" * 70):
        assert read(nonsense) == {}
