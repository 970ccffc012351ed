"""What a session token is, how many sessions there are, and what ends them."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ostiary.core.accounts.accounts import Status
from ostiary.core.accounts.store import RAISE_EPOCH
from ostiary.core.change import Change
from ostiary.core.sessions.sessions import Session
from ostiary.kernel.errors import Misuse
from ostiary.kernel.principal import Principal
from ostiary.kernel.secret import Secret
from ostiary.testing import Kit
from tests.core.signin.stage import account_id, changed, dump, journalled, login, session_rows, set_status

ANNA = "anna@example.com"


async def with_cookie(kit: Kit, value: str) -> Any:
    name = kit.engine.app.edge.cookies.session
    return await kit.browser().get("/auth/session", headers={"cookie": f"{name}={value}"})


async def test_the_token_is_nowhere_but_in_the_cookie(kit: Kit) -> None:
    """The database holds a hash of id and secret; no answer's body holds any of them but the id."""
    await kit.signed_up(ANNA)
    browser = kit.browser()
    answered = await login(browser, ANNA)
    token = browser.cookies[kit.engine.app.edge.cookies.session]
    session_id, _, secret = token.partition(".")
    tables = await dump(kit)
    assert secret not in repr(tables)
    assert secret not in answered.text
    assert len(secret) == 43
    stored = [column for row in tables["session"] for column in row]
    assert hashlib.sha256(f"session:{session_id}:{secret}".encode()).digest() in stored
    assert secret not in (await browser.get("/auth/sessions")).text


async def test_wrong_unknown_and_malformed_tokens_look_alike(kit: Kit) -> None:
    """Status, body and headers tell nothing about which part of a token was wrong."""
    browser = await kit.signed_in(ANNA)
    session_id, _, secret = browser.cookies[kit.engine.app.edge.cookies.session].partition(".")
    unknown = kit.engine.core.world.id()
    seen = set()
    for value in (
        f"{session_id}.{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}",
        f"{session_id}.{'A' * 43}",
        f"{unknown}.{secret}",
        f"{session_id.upper()}.{secret}",
        f"{session_id}{secret}",
        f"{session_id}.{secret}A",
        f"{session_id}.{secret}.",
        f".{secret}",
        session_id,
        secret,
        "x",
        "." * 70,
    ):
        answered = await with_cookie(kit, value)
        body = answered.json() | {"instance": ""}
        headers = {k: v for k, v in answered.headers.items() if k not in ("x-request-id", "date")}
        seen.add((answered.status_code, repr(body), repr(headers)))
    assert len(seen) == 1
    ((status, body_text, _),) = seen
    assert status == 401
    assert "not_authenticated" in body_text
    assert (await browser.get("/auth/session")).status_code == 200


async def test_no_more_than_five_under_parallel_sign_ins(kit: Kit) -> None:
    """Of twenty at once five sessions stay live, and the oldest are the ones that ended."""
    await kit.signed_up(ANNA)
    browsers = [kit.browser(f"192.0.2.{n}") for n in range(20)]
    outcomes: list[int] = []
    while len(outcomes) < 20:  # twenty at once meet the lockout's place-holders; who is refused comes again
        waiting = browsers[len(outcomes) :]
        answers = await asyncio.gather(*(login(browser, ANNA) for browser in waiting))
        outcomes += [answered.status_code for answered in answers if answered.status_code == 200]
        browsers.sort(key=lambda browser: kit.engine.app.edge.cookies.session not in browser.cookies)
    rows = await session_rows(kit)
    assert len(rows) == 20
    live = [ended is None for _, _, ended, _ in rows]
    assert live.count(True) == 5
    assert {why for _, _, ended, why in rows if ended is not None} == {"limit"}
    assert (await journalled(kit)).count("session_ended") == 15
    states = [(await browser.get("/auth/session")).status_code for browser in browsers]
    assert (states.count(200), states.count(401)) == (5, 15)


async def test_the_sixth_ends_the_oldest(kit: Kit) -> None:
    """One by one it is the first that goes, then the second; ended ones do not count."""
    await kit.signed_up(ANNA)
    browsers = [await kit.sign_in(ANNA) for _ in range(6)]
    assert (await browsers[0].get("/auth/session")).json()["code"] == "session_ended"
    assert (await browsers[5].post("/auth/logout")).status_code == 204
    await kit.sign_in(ANNA)
    assert [(await browser.get("/auth/session")).status_code for browser in browsers] == [
        401, 200, 200, 200, 200, 401,
    ]  # fmt: skip


async def test_signing_in_again_ends_what_the_browser_brought(kit: Kit) -> None:
    """Fixation (S-D1): new id, new secret, new CSRF token; the old session is dead, whoever holds its cookie."""
    browser = await kit.signed_in(ANNA)
    cookies = kit.engine.app.edge.cookies
    old = {name: browser.cookies[name] for name in (cookies.session, cookies.csrf)}
    assert (await login(browser, ANNA)).status_code == 200
    assert browser.cookies[cookies.session].partition(".")[0] != old[cookies.session].partition(".")[0]
    assert browser.cookies[cookies.csrf] != old[cookies.csrf]
    assert (await with_cookie(kit, old[cookies.session])).json()["code"] == "session_ended"
    rows = await session_rows(kit)
    assert [why for _, _, _, why in rows] == ["replaced", ""]


async def test_an_attackers_cookie_is_never_adopted(kit: Kit) -> None:
    """Whoever plants a cookie, live or made up, learns nothing from the victim's sign-in."""
    await kit.signed_up(ANNA)
    name = kit.engine.app.edge.cookies.session
    mallory = await kit.signed_in("mallory@example.com")
    made_up = f"{kit.engine.core.world.id()}.{'A' * 43}"
    for planted in (mallory.cookies[name], made_up):
        victim = kit.browser(cookies=dict(mallory.cookies) | {name: planted})
        answered = await login(victim, ANNA)
        assert answered.json()["user"]["email"] == ANNA
        given = next(line for line in answered.headers.get_list("set-cookie") if line.startswith(f"{name}="))
        assert planted not in given
        assert planted.partition(".")[0] not in given
        assert (await with_cookie(kit, planted)).status_code == 401


async def test_a_disabled_account_has_no_session_at_once(kit: Kit) -> None:
    """Its sessions end with it, and enabling it again revives none."""
    browser = await kit.signed_in(ANNA)
    anna = await account_id(kit, ANNA)
    token = browser.cookies[kit.engine.app.edge.cookies.session]
    await set_status(kit, anna, Status.DISABLED)
    assert (await with_cookie(kit, token)).json()["code"] == "session_ended"
    assert [why for _, _, _, why in await session_rows(kit)] == ["account_disabled"]
    await set_status(kit, anna, Status.ACTIVE)
    assert (await with_cookie(kit, token)).json()["code"] == "session_ended"


async def test_a_raised_epoch_ends_sessions(kit: Kit) -> None:
    """Even a session that nobody ended is over, and is not listed."""
    browser = await kit.signed_in(ANNA)
    anna = await account_id(kit, ANNA)
    await set_status(kit, anna, Status.ACTIVE)
    assert await kit.engine.core.sessions.live(kit.engine.core.database, anna) == []
    assert (await browser.get("/auth/session")).json()["code"] == "session_ended"


async def test_host_data_fit_in_four_kibibytes(kit: Kit) -> None:
    """4096 bytes of JSON are kept and come back, one more is refused and changes nothing."""
    browser = await kit.signed_in(ANNA)
    sessions = kit.engine.core.sessions
    token = browser.cookies[kit.engine.app.edge.cookies.session]
    session = (await sessions.resolve(token)).session
    assert session.data == {}
    full = {"note": "ü" * 2042 + "x"}  # {"note":""} is 11 bytes, and ü is two
    await changed(kit, lambda change: sessions.set_data(change, session.id, full))
    with pytest.raises(Misuse, match="4097"):
        await changed(kit, lambda change: sessions.set_data(change, session.id, {"note": full["note"] + "x"}))
    assert (await sessions.resolve(token)).session.data == full


async def renewed(kit: Kit, who: Principal) -> tuple[Session, Secret] | None:
    return await changed(kit, lambda change: kit.engine.core.sessions.renew(change, who))


async def test_a_renewed_session_has_another_id_and_lives_on(kit: Kit) -> None:
    """The old token is refused, the new one has the same proofs and ends when the old one would have."""
    browser = await kit.signed_in(ANNA)
    before = await kit.engine.core.sessions.resolve(browser.cookies[kit.engine.app.edge.cookies.session])
    kit.clock.turn(timedelta(minutes=5))
    found = await renewed(kit, before.principal)
    assert found is not None
    session, token = found
    after = await kit.engine.core.sessions.resolve(token.reveal())
    assert after.session.id == session.id != before.session.id
    assert after.session.expires_at == before.session.expires_at
    assert after.principal.authenticated_at == before.principal.authenticated_at
    assert (after.session.amr, after.session.acr) == (before.session.amr, before.session.acr)
    assert (await browser.get("/auth/session")).json()["code"] == "session_ended"
    assert [
        one.id for one in await kit.engine.core.sessions.live(kit.engine.core.database, after.account.id)
    ] == [session.id]


async def test_a_renewed_session_survives_the_raised_epoch_of_its_own_change(kit: Kit) -> None:
    """Everything begun before the change is refused; what the change itself renewed is not."""
    browser = await kit.signed_in(ANNA)
    other = await kit.sign_in(ANNA)
    who = (
        await kit.engine.core.sessions.resolve(browser.cookies[kit.engine.app.edge.cookies.session])
    ).principal

    async def work(change: Change) -> tuple[Session, Secret] | None:
        await change.run(RAISE_EPOCH, of_account=who.account_id, now=change.micros)
        return await kit.engine.core.sessions.renew(change, who)

    found = await changed(kit, work)
    assert found is not None
    assert (await with_cookie(kit, found[1].reveal())).status_code == 200
    assert (await other.get("/auth/session")).json()["code"] == "session_ended"


async def test_nobody_renews_what_is_over_or_not_theirs(kit: Kit) -> None:
    """An ended session and a stranger's id give nothing, and nothing is written."""
    browser = await kit.signed_in(ANNA)
    bob = await kit.signed_in("bob@example.com")
    anna_session = await kit.engine.core.sessions.resolve(
        browser.cookies[kit.engine.app.edge.cookies.session]
    )
    bobs = await kit.engine.core.sessions.resolve(bob.cookies[kit.engine.app.edge.cookies.session])
    stolen = replace(anna_session.principal, session_id=bobs.session.id)
    before = await session_rows(kit)
    assert await renewed(kit, stolen) is None
    assert await session_rows(kit) == before
    await browser.post("/auth/logout")
    before = await session_rows(kit)
    assert await renewed(kit, anna_session.principal) is None
    assert await session_rows(kit) == before


async def test_of_many_renewals_at_once_one_wins(kit: Kit) -> None:
    """One session never becomes two."""
    browser = await kit.signed_in(ANNA)
    who = await kit.engine.core.sessions.resolve(browser.cookies[kit.engine.app.edge.cookies.session])
    found = await asyncio.gather(*[renewed(kit, who.principal) for _ in range(10)])
    assert sum(one is not None for one in found) == 1
    assert len(await kit.engine.core.sessions.live(kit.engine.core.database, who.account.id)) == 1
