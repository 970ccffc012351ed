"""L04: elsewhere a refresh skipped what sign-in checks. Here it asks again: session, account, client, policy."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from ostiary.core.access import access
from ostiary.core.accounts.accounts import Status
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import (
    MOMENT,
    StoppedClock,
    account_id,
    changed,
    journalled,
    session_rows,
    set_status,
)
from tests.features.tokens.stage import ANNA, code_of, login, pair_of, refresh, who
from tests.features.totp.stage import enrolled
from tests.support.server import ROOT_SECRET

BOB = "bob@example.com"
Open = Callable[..., AbstractAsyncContextManager[Kit]]


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Open:
    """Opens an engine on this database with some settings; several may follow one another, and keep one clock."""
    return partial(running, tmp_path, database=database_url, clock=StoppedClock(), root_secret=ROOT_SECRET)


@pytest.fixture
async def still(opened: Open) -> AsyncIterator[Kit]:
    """A running engine whose time passes only when it is turned; Anna has an account."""
    async with opened() as kit:
        await kit.signed_up(ANNA)
        yield kit


@pytest.mark.parametrize("end", ["signed out", "ended elsewhere", "disabled", "epoch", "limit"])
async def test_what_ends_a_session_ends_its_tokens(still: Kit, end: str) -> None:
    """Whichever way it ends: the next refresh is refused, and nothing is reported as theft."""
    pair = await pair_of(still)
    anna = await account_id(still, ANNA)
    match end:
        case "signed out":
            bearer = {"authorization": f"Bearer {pair['access_token']}"}
            assert (await still.browser().post("/auth/logout", headers=bearer)).status_code == 204
        case "ended elsewhere":
            browser = await still.sign_in(ANNA)
            assert (await browser.post("/auth/sessions/revoke-others")).json() == {"ended": 1}
        case "disabled":
            await set_status(still, anna, Status.DISABLED)
        case "epoch":
            await set_status(still, anna, Status.ACTIVE)
        case _:  # too many sessions
            still.clock.turn(MOMENT * 1000)
            for _ in range(5):
                await pair_of(still)
    before = await journalled(still)
    assert code_of(await refresh(still, pair["refresh_token"])) == "session_ended"
    assert code_of(await who(still, pair["access_token"])) == "session_ended"
    assert await journalled(still) == before


async def test_an_address_must_be_proven_by_now(opened: Open) -> None:
    """A policy that became stricter holds for old tokens."""
    async with opened(verify_email="optional") as kit:
        registered = await kit.browser().post("/auth/register", json={"email": ANNA, "password": PASSWORD})
        assert registered.status_code == 202
        pair = await pair_of(kit)
        pair |= (await refresh(kit, pair["refresh_token"])).json()
    async with opened(verify_email="required") as kit:
        assert code_of(await refresh(kit, pair["refresh_token"])) == "session_ended"


async def test_the_client_is_another_by_now(opened: Open) -> None:
    """A family belongs to the client that it was handed out to: what another one presents is nobody's."""
    async with opened() as kit:
        await kit.signed_up(ANNA)
        pair = await pair_of(kit)
    async with opened(first_party_client="shop") as kit:
        assert code_of(await refresh(kit, pair["refresh_token"])) == "refresh_token_invalid"
    async with opened() as kit:
        assert (await refresh(kit, pair["refresh_token"])).status_code == 200, "and the family lived on"


@pytest.mark.parametrize("replayed", [False, True], ids=["its turn", "a replay"])
async def test_a_second_factor_is_required_by_now(opened: Open, *, replayed: bool) -> None:
    """Of everybody: the first refresh begins the grace, and after it the session ends; not where both were shown."""
    async with opened() as kit:
        await kit.signed_up(ANNA)
        weak = await pair_of(kit)
        app = await enrolled(kit, await kit.signed_in(BOB))
        kit.clock.turn(timedelta(minutes=1))
        attempt = (await login(kit.browser(), BOB)).json()["attempt"]
        given = {"attempt": attempt, "factor": "totp", "code": app.code(), "delivery": "tokens"}
        strong = (await kit.browser().post("/auth/login/factor", json=given)).json()
        assert strong["session"]["acr"] == "2"
    async with opened(require_factor="everybody", factor_grace="1d") as kit:
        weak |= (await refresh(kit, weak["refresh_token"])).json()
        assert (await journalled(kit)).count("factor_required") == 1
        kit.clock.turn(timedelta(days=1) - MOMENT)
        spent = weak["refresh_token"]
        weak |= (await refresh(kit, spent)).json()
        kit.clock.turn(MOMENT)
        before = Counter(await journalled(kit))
        assert code_of(await refresh(kit, spent if replayed else weak["refresh_token"])) == "session_ended"
        assert Counter(await journalled(kit)) - before == {"session_ended": 1}
        assert "factor_required" in {why for *_, why in await session_rows(kit)}
        assert code_of(await who(kit, weak["access_token"])) == "session_ended"
        assert (await refresh(kit, strong["refresh_token"])).status_code == 200


async def test_a_role_that_needs_a_second_factor(opened: Open) -> None:
    """Who is given the role later is concerned from the next refresh on; everybody else goes on."""
    async with opened(require_factor="roles", factor_grace="0s") as kit:
        for address in (ANNA, BOB):
            await kit.signed_up(address)
        hers, his = await pair_of(kit), await pair_of(kit, BOB)
        hers |= (await refresh(kit, hers["refresh_token"])).json()
        anna = await account_id(kit, ANNA)
        await changed(kit, lambda change: access.grant(change, anna, "admin", "test"))
        assert code_of(await refresh(kit, hers["refresh_token"])) == "session_ended"
        assert (await refresh(kit, his["refresh_token"])).status_code == 200
