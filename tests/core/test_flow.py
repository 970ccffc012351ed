"""One flow, one shape: wrong nesting raises, and a refusal changes nothing but counters and journal."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import INVALID_CREDENTIALS
from ostiary.core.accounts.address import parse_email
from ostiary.core.change import Change
from ostiary.core.flow import Flow
from ostiary.core.signin.door import FAILED
from ostiary.core.throttle.limits import Hit, Lockout
from ostiary.engine.features import RIBS
from ostiary.kernel.errors import Misuse, Refused, Unavailable
from ostiary.kernel.origin import Origin
from ostiary.kernel.secret import Secret
from ostiary.storage.database import Conflict, Contended
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import account_id, changed, dump, journalled, login, set_status
from tests.support.ribs import BURSTING

COUNTERS_AND_JOURNAL = ("throttle", "journal")
HIT = Hit(Lockout(), "account:nobody")


async def register(change: Change, address: str = "new@example.com") -> str:
    return await accounts.create_unless_known(change, parse_email(address), "New", "hash")


async def _within(flow: Flow, deed: Awaitable[None]) -> None:
    async with flow:
        await deed


async def _reserving(kit: Kit, error: Exception | None = None) -> None:
    async with kit.engine.core.runner.flow(Origin()) as flow:
        await flow.reserve(HIT)
        if error is not None:
            raise error


async def _sent(kit: Kit) -> None:
    """Wait until no mail is under way, so that dumps differ by what a test does."""
    async with asyncio.timeout(10):
        while (await dump(kit))["outbox"]:  # noqa: ASYNC110  # the database knows nothing of events
            await asyncio.sleep(0.01)


async def _second_change(kit: Kit, flow: Flow) -> None:
    await flow.change(register)
    await flow.change(register)


async def _flow_in_a_change(kit: Kit, flow: Flow) -> None:
    async def work(change: Change) -> None:
        await register(change)
        await changed(kit, register)

    await flow.change(work)


async def _transaction_in_a_change(kit: Kit, flow: Flow) -> None:
    async def work(change: Change) -> None:
        await register(change)
        async with kit.engine.core.database.transaction():
            pass

    await flow.change(work)


async def _hashing_in_a_change(kit: Kit, flow: Flow) -> None:
    async def work(change: Change) -> None:
        await register(change)
        await kit.engine.core.passwords.hash(Secret(PASSWORD))

    await flow.change(work)


async def _verifying_in_a_change(kit: Kit, flow: Flow) -> None:
    async def work(change: Change) -> None:
        await register(change)
        await kit.engine.core.passwords.verify(Secret(PASSWORD), None)

    await flow.change(work)


async def _reserve_in_a_change(kit: Kit, flow: Flow) -> None:
    async def work(change: Change) -> None:
        await register(change)
        await flow.reserve(HIT)

    await flow.change(work)


async def _reserve_after_a_change(kit: Kit, flow: Flow) -> None:
    await flow.change(register)
    await flow.reserve(HIT)


async def _reserve_twice(kit: Kit, flow: Flow) -> None:
    await flow.reserve(HIT)
    await flow.reserve(HIT)


AFTER_ITS_CHANGE = (_second_change, _reserve_after_a_change)
MISTAKES = (
    _flow_in_a_change,
    _transaction_in_a_change,
    _hashing_in_a_change,
    _verifying_in_a_change,
    _reserve_in_a_change,
    _reserve_twice,
)


async def test_wrong_nesting_is_misuse(kit: Kit) -> None:
    """It raises instead of waiting for itself, what was written in the open change is gone, and work goes on."""
    for mistake in (*MISTAKES, *AFTER_ITS_CHANGE):
        flow = kit.engine.core.runner.flow(Origin())
        with pytest.raises(Misuse):
            await _within(flow, mistake(kit, flow))
        made = len((await dump(kit))["account"])
        assert made == (1 if mistake in AFTER_ITS_CHANGE else 0), mistake.__name__
    await changed(kit, lambda change: register(change, "after@example.com"))
    assert len((await dump(kit))["account"]) == 2


async def test_refusals_in_a_change_leave_nothing(kit: Kit) -> None:
    """What the work had written is rolled back; the refusal's events are journalled, once, and after that."""
    before = await dump(kit, without=("journal",))

    async def work(change: Change) -> None:
        made = await register(change)
        await change.emit(accounts.EMAIL_VERIFIED(made, by="link"))
        raise Refused(INVALID_CREDENTIALS, events=(FAILED(method="test", reason="test"),))

    with pytest.raises(Refused):
        await changed(kit, work)
    assert await dump(kit, without=("journal",)) == before
    assert await journalled(kit) == ["sign_in_failed"]


async def test_refusals_over_http_leave_nothing(kit: Kit) -> None:
    """Every way of being refused, with full dumps of all tables before and after."""
    anna = await kit.signed_in("anna@example.com")
    await kit.signed_up("gone@example.com")
    await set_status(kit, await account_id(kit, "gone@example.com"), accounts.Status.DISABLED)
    await kit.browser().post("/auth/register", json={"email": "new@example.com", "password": PASSWORD})
    await kit.verification("new@example.com")
    await _sent(kit)
    before = await dump(kit, without=COUNTERS_AND_JOURNAL)
    journal = len(await journalled(kit))
    stranger = kit.browser()
    refusals = [
        await login(stranger, "anna@example.com", "wrong"),
        await login(stranger, "nobody@example.com"),
        await login(stranger, "gone@example.com"),
        await login(stranger, "new@example.com"),  # right, but not verified
        await login(stranger, "no address"),
        await stranger.post("/auth/login/factor", json={"attempt": "a.b", "factor": "x", "code": "1"}),
        await stranger.post("/auth/email/verify", json={"token": "wrong"}),
        await stranger.post("/auth/email/verify", json={"email": "anna@example.com", "code": "123456"}),
        await stranger.post("/auth/register", json={"email": "other@example.com", "password": "short"}),
        await stranger.post("/auth/register", json={"email": "no address", "password": PASSWORD}),
        await stranger.get("/auth/session"),
        await anna.delete(f"/auth/sessions/{'0' * 26}"),
    ]
    assert [answered.status_code for answered in refusals] == [
        401, 401, 401, 403, 401, 401, 400, 400, 422, 422, 401, 404,
    ]  # fmt: skip
    assert await dump(kit, without=COUNTERS_AND_JOURNAL) == before
    added = (await journalled(kit))[journal:]
    assert set(added) == {"sign_in_failed", "verification_failed"}


async def _noting(kit: Kit, ending: Exception | None, *, changes: bool) -> None:
    async with kit.engine.core.runner.flow(Origin()) as flow:
        await flow.reserve(HIT)
        flow.note(accounts.ENABLED(None))
        if changes:
            await flow.change(register)
        if ending is not None:
            raise ending


@pytest.mark.parametrize("changes", [True, False], ids=["change", "no change"])
@pytest.mark.parametrize(
    "ending", [None, Refused(INVALID_CREDENTIALS), RuntimeError("broken")], ids=["ends", "refuses", "breaks"]
)
async def test_notes_are_journalled_however_a_flow_ends(
    kit: Kit, ending: Exception | None, changes: bool
) -> None:
    """What was noted on the way is in the journal once, with a change and without, after a refusal and a defect."""
    if ending is None:
        await _noting(kit, None, changes=changes)
    else:
        with pytest.raises(type(ending)):
            await _noting(kit, ending, changes=changes)
    assert await journalled(kit) == ["account_enabled"]
    assert len((await dump(kit))["account"]) == changes


async def test_notes_survive_clashes_and_failed_changes(kit: Kit) -> None:
    """A change that runs again journals a note once; one that is rolled back does not take it along."""
    runs: list[int] = []

    async def work(change: Change, times: int) -> None:
        runs.append(1)
        await register(change)
        if len(runs) <= times:
            raise Conflict("rule")

    for times, made in ((2, 1), (100, 1)):
        runs.clear()
        flow = kit.engine.core.runner.flow(Origin())
        flow.note(accounts.ENABLED(None))
        deed = flow.change(partial(work, times=times))
        if times == 100:
            with pytest.raises(Unavailable):
                await _within(flow, deed)
        else:
            await _within(flow, deed)
        assert len((await dump(kit))["account"]) == made
    assert await journalled(kit) == ["account_enabled"] * 2


async def test_a_broken_subscriber_aborts_everything(tmp_path: Path, database_url: str) -> None:
    """Its exception takes session, journal and counters back; the try does not count, however often it happens."""
    async with running(tmp_path, database=database_url, ribs=(*RIBS, BURSTING)) as kit:
        await kit.signed_up("anna@example.com")
        await _sent(kit)
        before = await dump(kit, without=("throttle",))
        for _ in range(7):
            broken = await login(kit.browser(), "anna@example.com")
            assert (broken.status_code, broken.json()["code"]) == (500, "internal_error")
            assert "set-cookie" not in broken.headers
        assert await dump(kit, without=("throttle",)) == before


async def test_errors_that_are_no_refusal_give_the_try_back(kit: Kit) -> None:
    """Ten crashes do not lock anybody; five refusals do."""
    for error in (RuntimeError("broken"), Unavailable("busy")):
        for _ in range(10):
            with pytest.raises(type(error)):
                await _reserving(kit, error)
    for _ in range(5):
        with pytest.raises(Refused, match="invalid_credentials"):
            await _reserving(kit, Refused(INVALID_CREDENTIALS))
    with pytest.raises(Refused, match="too_many_attempts"):
        await _reserving(kit)


async def test_clashes_run_again(kit: Kit) -> None:
    """The work runs again from the start and counts once; after four times the flow gives up."""
    runs: list[int] = []

    async def work(change: Change, clash: Exception, times: int) -> str:
        runs.append(1)
        made = await register(change)
        await change.emit(accounts.EMAIL_VERIFIED(made, by="link"))
        if len(runs) <= times:
            raise clash
        return made

    for clash in (Conflict("rule"), Contended("deadlock")):
        runs.clear()
        with pytest.raises(Unavailable):
            await changed(kit, partial(work, clash=clash, times=100))
        assert len(runs) == 4
    assert (await dump(kit))["account"] == []
    runs.clear()
    made = await changed(kit, partial(work, clash=Conflict("rule"), times=3))
    assert len(runs) == 4
    assert [row[0] for row in (await dump(kit))["account"]] == [made]
    assert await journalled(kit) == ["email_verified"]


async def test_a_real_deadlock_is_survived(postgres_url: str, tmp_path: Path) -> None:
    """Two changes take two rows in opposite order: both finish, each once."""
    async with running(tmp_path, database=postgres_url) as kit:
        for name in ("a", "b"):
            await changed(kit, partial(register, address=f"{name}@example.com"))
        a, b = await account_id(kit, "a@example.com"), await account_id(kit, "b@example.com")
        both_hold = asyncio.Barrier(2)
        runs: list[Any] = []

        async def work(change: Change, first: str, second: str) -> str:
            runs.append(first)
            await accounts.lock_active(change, first)
            if len(runs) <= 2:
                await both_hold.wait()
            await accounts.lock_active(change, second)
            await change.emit(accounts.ENABLED(first))
            return first

        done = await asyncio.gather(
            changed(kit, lambda change: work(change, a, b)), changed(kit, lambda change: work(change, b, a))
        )
        assert list(done) == [a, b]
        assert len(runs) >= 3  # a slow machine may meet again
        assert await journalled(kit) == ["account_enabled", "account_enabled"]


async def test_events_must_be_declared(kit: Kit) -> None:
    """An event type of no manifest is a mistake, and nothing of its change stays."""

    async def work(change: Change) -> None:
        made = await register(change)
        await change.emit(replace(FAILED(made), type=replace(FAILED, name="undeclared")))

    with pytest.raises(Misuse, match="undeclared"):
        await changed(kit, work)
    assert (await dump(kit))["account"] == []
