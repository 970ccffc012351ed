"""Time-outs of sessions, on a clock that stands until a test turns it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from ostiary.core.sessions import store
from ostiary.testing import Browser, Kit, running
from tests.core.signin.stage import MOMENT, StoppedClock, login, session_rows

ANNA = "anna@example.com"
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
IDLE, LIFETIME = 30 * MINUTE, 8 * HOUR


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine whose clock stands, and one account."""
    async with running(tmp_path, database=database_url, clock=StoppedClock()) as kit:
        await kit.signed_up(ANNA)
        yield kit


async def state(browser: Browser) -> str:
    """What a request is told: "live", or the code of the refusal."""
    answered = await browser.get("/auth/session")
    return "live" if answered.status_code == 200 else str(answered.json()["code"])


async def test_idle_is_never_too_short(kit: Kit) -> None:
    """Counted from the last request, whether or not that one was written down, idle is at least half an hour."""
    for activity in (0 * SECOND, MINUTE - MOMENT, MINUTE):
        browser = await kit.sign_in(ANNA)
        kit.clock.turn(activity)
        assert await state(browser) == "live"
        kit.clock.turn(IDLE - MOMENT)
        assert await state(browser) == "live"


async def test_idle_is_never_too_long(kit: Kit) -> None:
    """Half an hour and a minute after the last request a session is over."""
    for activity in (0 * SECOND, MINUTE - MOMENT, MINUTE, 20 * MINUTE):
        browser = await kit.sign_in(ANNA)
        kit.clock.turn(activity)
        assert await state(browser) == "live"
        kit.clock.turn(IDLE + MINUTE)
        assert await state(browser) == "session_ended"
        assert await state(browser) == "not_authenticated"  # the dead cookie was cleared


async def test_activity_resets_idle_only(kit: Kit) -> None:
    """A request every twenty minutes keeps a session for eight hours, exactly, and no longer."""
    browser = await kit.sign_in(ANNA)
    for _ in range(23):
        kit.clock.turn(20 * MINUTE)
        assert await state(browser) == "live"
    kit.clock.turn(20 * MINUTE - MOMENT)
    assert await state(browser) == "live"
    kit.clock.turn(MOMENT)
    assert await state(browser) == "session_ended"


async def test_remembered_sessions_live_longer(kit: Kit) -> None:
    """Seven days idle, thirty days in all; the cookie says so, too."""
    browser, sleepy = kit.browser(), kit.browser()
    for one in (browser, sleepy):
        answered = await login(one, ANNA, remember=True)
        name = kit.engine.app.edge.cookies.session
        (cookie,) = (line for line in answered.headers.get_list("set-cookie") if line.startswith(f"{name}="))
        assert f"Max-Age={30 * 86400}" in cookie
    for _ in range(4):
        kit.clock.turn(7 * DAY - MOMENT)
        assert await state(browser) == "live"
    assert await state(sleepy) == "session_ended"
    kit.clock.turn(2 * DAY + 3 * MOMENT)
    assert await state(browser) == "live"
    kit.clock.turn(MOMENT)
    assert await state(browser) == "session_ended"


async def test_last_seen_is_written_once_a_minute(kit: Kit) -> None:
    """Twenty requests within a minute write nothing; the first of twenty after it writes, the others do not."""
    browser = await kit.sign_in(ANNA)
    ((session_id, begun, _, _),) = await session_rows(kit)
    for turned, expected in ((MINUTE - MOMENT, 0), (MOMENT, 60), (MINUTE - MOMENT, 60), (MOMENT, 120)):
        kit.clock.turn(turned)
        answers = await asyncio.gather(*(browser.get("/auth/session") for _ in range(20)))
        assert {answered.status_code for answered in answers} == {200}
        assert await session_rows(kit) == [(session_id, begun + expected * 1_000_000, None, "")]


async def test_a_late_touch_never_revives(kit: Kit) -> None:
    """The write of a request that read the session before it was ended finds nothing to write."""
    browser = await kit.sign_in(ANNA)
    ((session_id, seen, _, _),) = await session_rows(kit)
    assert (
        await browser.post("/auth/logout")
    ).status_code == 204  # within the minute, so it writes no last-seen
    ended = await session_rows(kit)
    assert ended[0][1] == seen
    kit.clock.turn(2 * MINUTE)
    async with kit.engine.core.database.transaction() as tx:
        late = await tx.run(
            store.TOUCH, of_id=session_id, was_seen_at=seen, now=kit.engine.core.world.micros()
        )
    assert late == 0
    assert await session_rows(kit) == ended
    assert ended[0][2] is not None


async def test_an_end_among_many_requests_is_the_end(kit: Kit) -> None:
    """While thirty requests touch a session it is ended; whatever the order, it stays ended."""
    browser = await kit.sign_in(ANNA)
    cookie = {"cookie": f"{(name := kit.engine.app.edge.cookies.session)}={browser.cookies[name]}"}
    kit.clock.turn(2 * MINUTE)
    crowd = [kit.browser().get("/auth/session", headers=cookie) for _ in range(30)]
    *answers, ended = await asyncio.gather(*crowd, browser.post("/auth/logout"))
    assert ended.status_code == 204
    assert {answered.status_code for answered in answers} <= {200, 401}
    assert (await kit.browser().get("/auth/session", headers=cookie)).json()["code"] == "session_ended"


async def test_sweeping_is_bounded_and_keeps_thirty_days(kit: Kit) -> None:
    """Sessions go thirty days after they expired, a batch at a time, and not a moment earlier."""
    kit.engine.worker.stop()
    await asyncio.sleep(0.05)
    for _ in range(5):
        await kit.sign_in(ANNA)
    sessions, swept = kit.engine.core.sessions, []
    kit.clock.turn(LIFETIME + 30 * DAY)
    for turned in (0 * SECOND, MOMENT, 0 * SECOND, 0 * SECOND, 0 * SECOND):
        kit.clock.turn(turned)
        async with kit.engine.core.database.transaction() as tx:
            swept.append(await sessions.sweep(tx, 2))
    assert swept == [0, 2, 2, 1, 0]
    assert await session_rows(kit) == []
