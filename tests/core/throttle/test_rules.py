"""The arithmetic of limits, without a clock and without a database."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.core.throttle.rules import (
    Hits,
    LockRules,
    LockState,
    LockVerdict,
    hit_window,
    refund_lock,
    refund_window,
    try_lock,
)

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
RULES = LockRules(
    lock_after=5, first_lock=MINUTE, decay=HOUR, delay_after=3, delay_limit=30 * SECOND, disable_after=100
)

# What happens next: so many 640ths of a period pass; then so many hits, or one counted hit is given back.
passing = st.one_of(st.integers(0, 12), st.integers(600, 660), st.integers(0, 700))
steps = st.lists(st.tuples(passing, st.booleans(), st.integers(0, 80)), max_size=60)
limits = st.one_of(st.integers(1, 8), st.integers(60, 80))


@given(limits, st.integers(1, 2000), steps)
@settings(max_examples=300, deadline=None)
def test_no_period_holds_more_than_the_limit(
    limit: int, period: int, happening: list[tuple[int, bool, int]]
) -> None:
    """Whatever happens when, any period holds at most `limit` hits that were not given back."""
    hits: Hits = ()
    counted: list[tuple[int, int]] = []  # when, and under which stamp
    now = 10**15
    for passes, gives_back, number in happening:
        now += passes * period // 640
        if gives_back and counted:
            _, stamp = counted.pop(number % len(counted))
            hits = refund_window(hits, stamp)
            continue
        for _ in range(number):
            verdict = hit_window(hits, limit, period, now)
            in_period = sum(at > now - period for at, _ in counted)
            if limit <= 64:
                assert verdict.allowed == (in_period < limit), "a small window is exact"
            if not verdict.allowed:
                assert verdict.wait > 0
                break
            assert in_period < limit
            assert verdict.remaining >= 0
            counted.append((now, verdict.stamp))
            hits = verdict.hits
            assert len(hits) <= 66, "the state stays small whatever the limit"


@given(st.integers(1, 130), st.integers(64, 2000))
@settings(deadline=None)
def test_a_full_window_opens_when_it_says(limit: int, period: int) -> None:
    """After exactly `wait` one more hit fits, and a moment before none does."""
    hits: Hits = ()
    for _ in range(limit):
        hits = hit_window(hits, limit, period, 10**15).hits
    full = hit_window(hits, limit, period, 10**15)
    assert (full.allowed, full.remaining, full.hits) == (False, 0, hits)
    assert period <= full.wait <= period + period // 64
    assert not hit_window(hits, limit, period, 10**15 + full.wait - 1).allowed
    assert hit_window(hits, limit, period, 10**15 + full.wait).allowed


@given(steps, st.integers(1, 100))
@settings(deadline=None)
def test_a_clock_that_steps_back_frees_nothing(happening: list[tuple[int, bool, int]], limit: int) -> None:
    """A full window stays full when the clock is set back, and its state stays sorted."""
    hits: Hits = ()
    now = 10**15
    for passes, goes_back, _ in happening:
        before, now = now, now - passes if goes_back else now + passes
        was_full = not hit_window(hits, limit, 1000, before).allowed
        verdict = hit_window(hits, limit, 1000, now)
        assert not (was_full and goes_back and verdict.allowed)
        hits = verdict.hits
        assert [at for at, _ in hits] == sorted({at for at, _ in hits})
        assert sum(count for _, count in hits) <= limit


def test_a_refund_takes_one_hit() -> None:
    """Two hits of one moment are two; giving one back twice, or one that has left, harms nothing."""
    first = hit_window((), 3, 100, 7)
    second = hit_window(first.hits, 3, 100, 7)
    assert (first.remaining, second.remaining, second.hits) == (2, 1, ((7, 2),))
    assert refund_window(second.hits, 7) == ((7, 1),)
    assert refund_window(refund_window(second.hits, 7), 7) == ()
    assert refund_window(second.hits, 6) == second.hits
    assert refund_window((), 7) == ()


def fail(state: LockState, now: int, times: int = 1) -> LockVerdict:
    """The verdict of the last of some failures in a row, each at the first moment at which it may be tried."""
    verdict = try_lock(state, RULES, now)
    for _ in range(times - 1):
        now = max(now, verdict.state.until)
        verdict = try_lock(verdict.state, RULES, now)
    return verdict


# Which consecutive failure → how long it locks, by how much its answer is held back, in seconds.
LADDER = [
    (1, 0, 0),
    (2, 0, 0),
    (3, 0, 1),
    (4, 0, 2),
    (5, 60, 4),
    (6, 300, 8),
    (7, 900, 16),
    (8, 3600, 30),
    (9, 3600, 30),
    (60, 3600, 30),
]


@pytest.mark.parametrize(("failure", "locked", "delay"), LADDER)
def test_the_ladder(failure: int, locked: int, delay: int) -> None:
    """Every failure from the fifth locks, each for longer; from the third on answers are held back."""
    state, now = LockState(), 10**15
    for _ in range(failure - 1):
        state = try_lock(state, RULES, max(now, state.until)).state
    now = max(now, state.until)
    verdict = try_lock(state, RULES, now)
    assert (verdict.wait, verdict.delay) == (0, delay * SECOND)
    assert verdict.locks == bool(locked)
    assert verdict.state.until - now == locked * SECOND if locked else verdict.state.until == 0


def test_a_lock_holds_to_its_last_moment() -> None:
    """While it is locked nothing is tried or counted; at its end one try is possible."""
    locked = fail(LockState(), 10**15, 5).state
    refused = try_lock(locked, RULES, locked.until - 1)
    assert (refused.wait, refused.state, refused.locks, refused.delay) == (1, locked, False, 0)
    assert try_lock(locked, RULES, locked.until).wait == 0


def test_a_lock_is_forgotten_an_hour_after_it_ended() -> None:
    """Up to then the next failure locks for longer; from then on it is a first failure; the total stays."""
    locked = fail(LockState(), 10**15, 6).state
    early = try_lock(locked, RULES, locked.until + HOUR - 1)
    late = try_lock(locked, RULES, locked.until + HOUR)
    assert (early.state.streak, early.locks, early.state.until - locked.until - HOUR + 1) == (
        7,
        True,
        15 * MINUTE,
    )
    assert (late.state.streak, late.locks, late.delay, late.state.total) == (1, False, 0, 7)


def test_failures_below_the_lock_are_not_forgotten() -> None:
    """Without a lock time alone takes nothing back: the fifth consecutive failure locks, a year later too."""
    state = fail(LockState(), 10**15, 4).state
    assert try_lock(state, RULES, 10**15 + 365 * 24 * HOUR).locks


@pytest.mark.parametrize(
    ("first", "waits"), [(30, [30, 30, 30, 60]), (2, [2, 5, 15, 60]), (90, [90, 90, 90, 90])]
)
def test_a_longer_first_lock(first: int, waits: list[int]) -> None:
    """No later lock is shorter than the first."""
    rules = replace(RULES, first_lock=first * MINUTE)
    state, now, seen = LockState(streak=4, total=4), 10**15, []
    for _ in waits:
        now = max(now, state.until)
        state = try_lock(state, rules, now).state
        seen.append((state.until - now) // MINUTE)
    assert seen == waits


def test_the_hundredth_failure_disables() -> None:
    """The hundredth consecutive failure and every later one, whatever was forgotten in between; fewer if so set."""
    state, now, disabling = LockState(), 10**15, []
    for number in range(1, 121):
        now = max(now, state.until) + (2 * HOUR if number % 7 == 0 else 0)
        verdict = try_lock(state, RULES, now)
        disabling += [number] if verdict.disables else []
        state = verdict.state
    assert disabling == list(range(100, 121))
    assert try_lock(LockState(total=6), replace(RULES, disable_after=7), now).disables


@given(st.integers(0, 12))
def test_a_right_try_leaves_no_trace(failures: int) -> None:
    """Giving back a reserved try restores what was there, and takes away the lock that only it would have caused."""
    state = fail(LockState(), 10**15, failures).state if failures else LockState()
    reserved = try_lock(state, RULES, max(10**15, state.until))
    after = refund_lock(reserved.state, state.until if reserved.locks else None)
    assert (after.streak, after.total) == (state.streak, state.total)
    assert after.until == state.until


def test_a_refund_keeps_somebody_elses_lock() -> None:
    """A right try that overlapped with the failure that locked does not unlock."""
    locked = fail(LockState(), 10**15, 5).state
    kept = refund_lock(locked, None)
    assert (kept.until, kept.streak) == (locked.until, 4)


def test_a_refund_of_nothing() -> None:
    """A counter that was cleared meanwhile does not go below zero."""
    assert refund_lock(LockState(), 0) == LockState()
