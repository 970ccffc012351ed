"""L15: elsewhere a password reset left sessions, tokens and half-done sign-ins as they were."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ostiary.core.accounts import accounts
from ostiary.core.accounts.address import parse_email
from ostiary.core.change import Change
from ostiary.core.signin.disowned import Disowned, disown
from ostiary.engine.features import RIBS
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import account_id, answer, changed, journalled, login, session_rows
from tests.features.api_keys.stage import Host
from tests.features.password.stage import ANNA, NEW, NEWER, WRONG, change, link, reset, signs_in
from tests.features.tokens.stage import code_of, pair_of, refresh, who
from tests.security.stage import drained
from tests.support.ribs import WordOfTheDay


@pytest.fixture
def day() -> WordOfTheDay:
    """A second factor."""
    return WordOfTheDay(is_single_use=False)


@pytest.fixture
async def kit(database_url: str, tmp_path: Path, day: WordOfTheDay) -> AsyncIterator[Kit]:
    """An engine with that factor."""
    async with running(tmp_path, database=database_url, ribs=(*RIBS, day.rib)) as kit:
        yield kit


async def test_every_session_ends(kit: Kit) -> None:
    """On every device, remembered or not, and in the very browser that resets; listed nowhere and never revived."""
    await kit.signed_up(ANNA)
    browsers = [await kit.sign_in(ANNA) for _ in range(3)]
    remembered = kit.browser()
    assert (await login(remembered, ANNA, remember=True)).status_code == 200
    assert (await reset(kit, await link(kit), browser=browsers[0])).status_code == 200
    for browser in (*browsers, remembered):
        assert (await browser.get("/auth/session")).json()["code"] == "session_ended"
        assert (await browser.get("/account")).status_code == 303
    assert {why for _, _, _, why in await session_rows(kit)} == {"password_reset"}
    fresh = await kit.sign_in(ANNA, NEW)
    assert len((await fresh.get("/auth/sessions")).json()["sessions"]) == 1


async def test_tokens_end_with_their_sessions(kit: Kit) -> None:
    """Access and refresh tokens, rotated or not, are refused from then on, and nobody is reported as their thief."""
    await kit.signed_up(ANNA)
    pairs = [await pair_of(kit), await pair_of(kit)]
    pairs.append((await refresh(kit, pairs[-1]["refresh_token"])).json())
    assert (await who(kit, pairs[-1]["access_token"])).status_code == 200
    token = await link(kit)
    assert (await reset(kit, token)).status_code == 200
    for pair in pairs:
        assert code_of(await who(kit, pair["access_token"])) == "session_ended"
        assert code_of(await refresh(kit, pair["refresh_token"])) == "session_ended"
    assert "refresh_token_reused" not in await journalled(kit)


@pytest.mark.parametrize("how", ["reset", "change", "not me"])
async def test_api_keys_end_as_well(kit: Kit, how: str) -> None:
    """A key that was made before a new password is refused from then on, rotated or not; one of later works."""
    own = await kit.signed_in(ANNA)
    old = (await own.post("/auth/api-keys", json={"name": "Deploy"})).json()
    new = (await own.post(f"/auth/api-keys/{old['id']}/rotate")).json()
    host = Host(kit)
    for key in (old, new):
        assert (await host.client(key["key"]).get("/who")).status_code == 200
    if how == "change":
        assert (await change(own, NEW, PASSWORD)).status_code == 200
    else:
        if how == "not me":
            anna, told = await account_id(kit, ANNA), Disowned(parse_email(ANNA), kit.engine.core.world.now())

            async def not_me(change: Change) -> None:
                await disown(change, await accounts.lock_active(change, anna), "", told)

            await changed(kit, not_me)
            await drained(kit)
            assert code_of(await host.client(new["key"]).get("/who")) == "api_key_invalid"
        assert (await reset(kit, await link(kit))).status_code == 200
        own = await kit.sign_in(ANNA, NEW)
    for key in (old, new):
        assert code_of(await host.client(key["key"]).get("/who")) == "api_key_invalid"
    assert (await own.get("/auth/api-keys")).json()["api_keys"] == []
    later = (await own.post("/auth/api-keys", json={"name": "Later"})).json()
    assert (await host.client(later["key"]).get("/who")).status_code == 200


async def test_a_change_ends_tokens_as_well(kit: Kit) -> None:
    """The owner who changes the password in a browser ends what was handed out as tokens, and stays signed in."""
    own = await kit.signed_in(ANNA)
    pair = await pair_of(kit)
    assert (await change(own, NEW, PASSWORD)).status_code == 200
    assert code_of(await who(kit, pair["access_token"])) == "session_ended"
    assert code_of(await refresh(kit, pair["refresh_token"])) == "session_ended"
    assert (await own.get("/auth/session")).status_code == 200


async def test_a_half_done_sign_in_ends(kit: Kit, day: WordOfTheDay) -> None:
    """Who knew the old password and waits for the second factor cannot finish, however right the factor is."""
    await kit.signed_up(ANNA)
    day.words[await account_id(kit, ANNA)] = "heron"
    thief = kit.browser()
    attempt = (await login(thief, ANNA)).json()["attempt"]
    assert (await reset(kit, await link(kit))).status_code == 200
    refused = await answer(thief, attempt, "heron")
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
    assert await session_rows(kit) == []


async def test_a_change_ends_them_as_well(kit: Kit, day: WordOfTheDay) -> None:
    """A half-done sign-in with the old password dies with the change that its owner makes meanwhile."""
    await kit.signed_up(ANNA)
    day.words[await account_id(kit, ANNA)] = "heron"
    own, thief = kit.browser(), kit.browser()
    mine = (await login(own, ANNA)).json()["attempt"]
    assert (await answer(own, mine, "heron")).status_code == 200
    attempt = (await login(thief, ANNA)).json()["attempt"]
    assert (await change(own, NEW)).status_code == 200
    assert (await answer(thief, attempt, "heron")).status_code == 401
    assert (await own.get("/auth/session")).status_code == 200


async def test_the_second_factor_is_still_asked_for(kit: Kit, day: WordOfTheDay) -> None:
    """A reset proves the mailbox and nothing more: no session comes with it, and the factor stays."""
    await kit.signed_up(ANNA)
    day.words[await account_id(kit, ANNA)] = "heron"
    browser = kit.browser()
    assert (await reset(kit, await link(kit), browser=browser)).status_code == 200
    assert not browser.cookies
    asked = (await login(browser, ANNA, NEW)).json()
    assert (asked["status"], asked["factors"]) == ("factor_required", ["word"])
    assert await session_rows(kit) == []
    assert (await answer(browser, asked["attempt"], "heron")).status_code == 200


async def test_a_browser_that_was_known_is_a_stranger(kit: Kit) -> None:
    """The note that spares an owner the lockout counts no more: a thief's browser may carry it, too."""
    own = await kit.signed_in(ANNA)
    await own.post("/auth/logout")
    assert (await reset(kit, await link(kit))).status_code == 200
    for number in range(5):
        assert await signs_in(kit, WRONG, ip=f"198.51.100.{number}") == 401
    assert (await login(own, ANNA, NEW)).status_code == 429


async def test_a_refused_reset_ends_nothing(kit: Kit) -> None:
    """A wrong link, and a right one with a poor password, leave every session alive."""
    own = await kit.signed_in(ANNA)
    token = await link(kit)
    assert (await reset(kit, "A" * 43, NEWER)).status_code == 400
    assert (await reset(kit, token, "short")).status_code == 422
    assert (await own.get("/auth/session")).status_code == 200
