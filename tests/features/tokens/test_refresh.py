"""Refresh tokens: exchanged once, the same successor within the grace, and the end of the session after it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from ostiary.testing import Kit, running
from tests.core.signin.stage import (
    MOMENT,
    StoppedClock,
    changed,
    dump,
)
from tests.features.tokens.stage import ANNA, claims_of, code_of, pair_of, refresh, who

GRACE = timedelta(seconds=10)
QUIET = ("outbox",)  # the worker empties it


@pytest.fixture
async def still(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """A running engine on each database, whose time passes only when it is turned; Anna has an account."""
    async with running(tmp_path, database=database_url, clock=StoppedClock()) as kit:
        await kit.signed_up(ANNA)
        yield kit


async def test_a_pair_for_a_pair(still: Kit) -> None:
    """The answer has a new pair for the same session, and the old refresh token has done its service."""
    pair = await pair_of(still)
    answer = await refresh(still, pair["refresh_token"])
    assert answer.status_code == 200
    assert answer.json().keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 900)
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    claims = claims_of(answer.json()["access_token"])
    assert (claims["sid"], claims["amr"], claims["acr"]) == (pair["session"]["id"], ["pwd"], "1")
    assert (await who(still, answer.json()["access_token"])).status_code == 200
    assert answer.json()["refresh_token"] != pair["refresh_token"]


async def test_an_ordinary_refresh_leaves_no_trace(still: Kit) -> None:
    """Nothing is written but the family and its session: no journal row, no counter."""
    pair = await pair_of(still)
    before = await dump(still, without=QUIET)
    still.clock.turn(timedelta(minutes=10))
    assert (await refresh(still, pair["refresh_token"])).status_code == 200
    after = await dump(still, without=QUIET)
    assert {name for name in after if before[name] != after[name]} == {"refresh_family", "session"}
    assert len(after["refresh_family"]) == len(before["refresh_family"]) == 1


async def test_it_is_the_touch_of_its_session(still: Kit) -> None:
    """A session that is refreshed now and then lives on; one that is not ends after the idle time, to the moment."""
    pair = await pair_of(still)
    for _ in range(3):
        still.clock.turn(timedelta(days=7) - MOMENT)
        pair |= (await refresh(still, pair["refresh_token"])).json()
    still.clock.turn(timedelta(days=7))
    quiet = (*QUIET, "throttle", "once")  # whose rows of a week ago are swept
    before = await dump(still, without=quiet)
    assert code_of(await refresh(still, pair["refresh_token"])) == "refresh_token_expired"
    assert await dump(still, without=quiet) == before


async def test_it_ends_after_thirty_days(still: Kit) -> None:
    """However often it is used, the family is over when its session is, and its last access token with it."""
    pair = await pair_of(still)
    for _ in range(5):
        still.clock.turn(timedelta(days=6) - timedelta(minutes=1))
        pair |= (await refresh(still, pair["refresh_token"])).json()
    assert pair["expires_in"] == 5 * 60
    still.clock.turn(timedelta(minutes=5) - MOMENT)
    assert (await refresh(still, pair["refresh_token"])).status_code == 401, "not a whole second is left"
    still.clock.turn(MOMENT)
    assert code_of(await refresh(still, pair["refresh_token"])) == "refresh_token_expired"
    assert code_of(await who(still, pair["access_token"])) in {"session_ended", "token_expired"}


async def test_who_is_not_ours_changes_nothing(still: Kit) -> None:
    """A wrong tag, another's parts, an unknown family: refused alike, and the family lives on."""
    mine, other = await pair_of(still), await pair_of(still)
    mine_parts, other_parts = mine["refresh_token"].split("."), other["refresh_token"].split(".")
    token = mine["refresh_token"]
    forged = ["", "nonsense", "a.b.c.d.e", mine["access_token"][:500], f"{token}A", token[:-1], token.upper()]
    forged += [f" {token}", "é" * 30]
    for place in range(5):
        forged.append(".".join([*mine_parts[:place], other_parts[place] + "A", *mine_parts[place + 1 :]]))
        if mine_parts[place] != other_parts[place]:
            forged.append(".".join([*mine_parts[:place], other_parts[place], *mine_parts[place + 1 :]]))
    forged.append(".".join([mine_parts[0], "1", *mine_parts[2:]]))
    before = await dump(still, without=QUIET)
    for token in forged:
        answer = await refresh(still, token)
        assert code_of(answer) == ("refresh_token_invalid" if token else "refresh_token_missing"), token
    assert await dump(still, without=QUIET) == before
    assert (await refresh(still, mine["refresh_token"])).status_code == 200


async def test_nothing_is_missing(still: Kit) -> None:
    """Without a token the answer says so, with 400; an unknown member is refused."""
    answer = await still.browser().post("/auth/refresh")
    assert (answer.status_code, code_of(answer)) == (400, "refresh_token_missing")
    assert code_of(await still.browser().post("/auth/refresh", json={})) == "refresh_token_missing"
    odd = await still.browser().post(
        "/auth/refresh", json={"refresh_token": "x", "grant_type": "refresh_token"}
    )
    assert code_of(odd) == "invalid_request"


async def test_a_refresh_against_an_end(still: Kit) -> None:
    """Refreshes and the end of the session at the same moment: whoever was first, afterwards nothing is good."""
    for _ in range(5):
        pair = await pair_of(still)
        bearer = {"authorization": f"Bearer {pair['access_token']}"}
        answers = await asyncio.gather(
            *(refresh(still, pair["refresh_token"]) for _ in range(5)),
            still.browser().post("/auth/logout", headers=bearer),
            *(refresh(still, pair["refresh_token"]) for _ in range(5)),
        )
        assert {code_of(answer) for answer in answers} <= {"", "session_ended"}
        for answer in answers:
            if answer.status_code == 200:
                assert code_of(await refresh(still, answer.json()["refresh_token"])) == "session_ended"
                assert code_of(await who(still, answer.json()["access_token"])) == "session_ended"


async def test_the_database_keeps_hashes_only(still: Kit) -> None:
    """No part of a refresh token that is secret stands in any table."""
    pair = await pair_of(still)
    pair |= (await refresh(still, pair["refresh_token"])).json()
    _, _, secret, _, tag = pair["refresh_token"].split(".")
    words = repr(await dump(still))
    assert pair["session"]["id"] in words
    for part in (secret, tag, pair["access_token"].rpartition(".")[2]):
        assert part not in words


async def test_swept_with_its_session(still: Kit) -> None:
    """A month after the session expired the family is gone with it, and its token is nobody's."""
    pair = await pair_of(still)
    still.clock.turn(timedelta(days=61))
    await changed(still, lambda change: still.engine.core.sessions.sweep(change.tx, 100))
    assert (await dump(still))["refresh_family"] == []
    assert code_of(await refresh(still, pair["refresh_token"])) == "refresh_token_invalid"
