"""L32: elsewhere the grace of a refresh forked families or took honest users for thieves.

Here the same token leads to the same successor within its grace, once; `tests/core/tokens/test_families.py` walks at
random over the same rules.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ostiary.features.keys import flow
from ostiary.testing import Kit, running
from tests.core.signin.stage import MOMENT, StoppedClock, dump, journalled, session_rows
from tests.features.tokens.stage import ANNA, code_of, pair_of, refresh, who
from tests.support.server import ROOT_SECRET

GRACE = timedelta(seconds=10)
QUIET = ("outbox",)  # the worker empties it


@pytest.fixture
async def still(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """A running engine on each database, whose time passes only when it is turned; Anna has an account."""
    async with running(tmp_path, database=database_url, clock=StoppedClock()) as kit:
        await kit.signed_up(ANNA)
        yield kit


async def test_the_same_successor_within_the_grace(still: Kit) -> None:
    """Whoever did not hear the answer asks again and gets the same one; nothing is written for it."""
    pair = await pair_of(still)
    first = (await refresh(still, pair["refresh_token"])).json()
    before = await dump(still, without=QUIET)
    for _ in range(3):
        again = (await refresh(still, pair["refresh_token"])).json()
        assert again["refresh_token"] == first["refresh_token"]
        assert (await who(still, again["access_token"])).status_code == 200
    assert await dump(still, without=QUIET) == before
    still.clock.turn(GRACE - MOMENT)
    assert (await refresh(still, pair["refresh_token"])).json()["refresh_token"] == first["refresh_token"]
    assert (await refresh(still, first["refresh_token"])).status_code == 200


@pytest.mark.parametrize("how", ["too late", "twice exchanged"])
async def test_reuse_ends_the_session(still: Kit, how: str) -> None:
    """Back after its grace, or after its successor was used: both holders are out, and the owner is told."""
    pair = await pair_of(still)
    still.clock.turn(MOMENT * 1000)  # the sessions stand in their order
    other = await pair_of(still)
    late = (await refresh(still, pair["refresh_token"])).json()
    if how == "too late":
        still.clock.turn(GRACE)
    else:
        late = (await refresh(still, late["refresh_token"])).json()
    before = Counter(await journalled(still))
    assert code_of(await refresh(still, pair["refresh_token"])) == "refresh_token_reused"
    told = Counter(await journalled(still)) - before
    assert told == {"session_ended": 1, "refresh_token_reused": 1}
    for token in (late["refresh_token"], pair["refresh_token"]):
        assert code_of(await refresh(still, token)) == "session_ended"
    assert code_of(await who(still, late["access_token"])) == "session_ended"
    assert Counter(await journalled(still)) - before == told, "it is reported once"
    assert [row[3] for row in await session_rows(still)] == ["refresh_token_reused", ""]
    assert (await refresh(still, other["refresh_token"])).status_code == 200, (
        "another session is not concerned"
    )
    mail = await still.mail_to(ANNA, count=2)
    assert "signed out" in mail["subject"]


async def test_a_family_outlives_a_restart_and_a_new_key(database_url: str, tmp_path: Path) -> None:
    """Another process, with a newer key on the ring, gives the same successor, and goes on from there."""
    clock, root = StoppedClock(), ROOT_SECRET
    given: dict[str, Any] = {"database": database_url, "clock": clock, "root_secret": root}
    async with running(tmp_path, **given) as kit:
        await kit.signed_up(ANNA)
        pair = await pair_of(kit)
        first = (await refresh(kit, pair["refresh_token"])).json()
        await flow.rotate(kit.engine.core, "refresh")
    clock.turn(GRACE - MOMENT)
    async with running(tmp_path, **given) as kit:
        again = (await refresh(kit, pair["refresh_token"])).json()
        assert again["refresh_token"] == first["refresh_token"]
        assert (await refresh(kit, first["refresh_token"])).status_code == 200


async def test_fifty_at_once(still: Kit) -> None:
    """Fifty requests with the same token: one rotation, one successor for all, no report; and so three times over."""
    pair = await pair_of(still)
    before = await journalled(still)
    token = pair["refresh_token"]
    for generation in range(1, 4):
        answers = await asyncio.gather(*(refresh(still, token) for _ in range(50)))
        assert {answer.status_code for answer in answers} == {200}
        successors = {answer.json()["refresh_token"] for answer in answers}
        assert len(successors) == 1
        token = successors.pop()
        assert token.split(".")[1] == str(generation)
        still.clock.turn(GRACE)
    assert await journalled(still) == before
