"""Owns the arithmetic of limits: plain functions of (state, rule, now). Nothing here is stored or awaited.

All moments and lengths are microseconds, as stored.
"""

from dataclasses import dataclass, replace
from typing import Final

_MINUTE: Final = 60_000_000
_LATER_LOCKS: Final = (5 * _MINUTE, 15 * _MINUTE, 60 * _MINUTE)
_SECOND: Final = 1_000_000
# A window of more hits than this keeps them in slots of 1/64 of its length, so that its state stays small.
_EXACT: Final = 64

Hits = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class WindowVerdict:
    """What a rate window says to one more hit.

    Attributes:
        hits: The state to store; unchanged when refused.
        stamp: Under which moment this hit was counted.
        allowed: Whether it was counted.
        remaining: How many more fit now.
        wait: Until one more fits, when refused; until the oldest leaves, when allowed.
    """

    hits: Hits
    stamp: int
    allowed: bool
    remaining: int
    wait: int


def hit_window(hits: Hits, limit: int, period: int, now: int) -> WindowVerdict:
    """Count one hit in a sliding window, unless it is full.

    No period ever holds more hits than the limit. Up to 64 they leave exactly a period later, above that up to 1/64 of
    it later still.
    """
    step = 0 if limit <= _EXACT else max(1, period // _EXACT)
    lasting = period + step
    live = tuple((at, count) for at, count in hits if at + lasting > now)
    used = sum(count for _, count in live)
    if used >= limit:
        freed = 0
        for at, count in live:
            freed += count
            if used - freed < limit:
                return WindowVerdict(live, 0, False, 0, at + lasting - now)
    slot = now - now % step if step else now
    # A clock that steps back must not unsort the state.
    slot = max(slot, live[-1][0]) if live else slot
    if live and live[-1][0] == slot:
        live = (*live[:-1], (slot, live[-1][1] + 1))
    else:
        live = (*live, (slot, 1))
    return WindowVerdict(live, slot, True, limit - used - 1, live[0][0] + lasting - now)


def refund_window(hits: Hits, stamp: int) -> Hits:
    """Take one hit back that was counted under `stamp`; harmless when it has left the window."""
    return tuple((at, count - (at == stamp)) for at, count in hits if at != stamp or count > 1)


@dataclass(frozen=True, slots=True)
class LockRules:
    """The numbers of a lockout."""

    lock_after: int
    first_lock: int
    decay: int
    delay_after: int
    delay_limit: int
    disable_after: int


@dataclass(frozen=True, slots=True)
class LockState:
    """Consecutive failures of one account.

    Attributes:
        streak: Failures that count towards the next lock; forgotten some time after a lock.
        total: Failures since the last success; never forgotten in between.
        until: While in the future, nothing is tried.
    """

    streak: int = 0
    total: int = 0
    until: int = 0


@dataclass(frozen=True, slots=True)
class LockVerdict:
    """What a lockout says to one more try.

    Attributes:
        state: The state to store.
        wait: Until the lock ends; 0 when the try may go on.
        delay: How long the answer is held back.
        locks: Whether this try, if it fails, is the one that locks.
        disables: Whether this try, if it fails, is the one that disables the password.
    """

    state: LockState
    wait: int
    delay: int
    locks: bool
    disables: bool


def try_lock(state: LockState, rules: LockRules, now: int) -> LockVerdict:
    """Reserve one try as a failure, unless the account is locked."""
    if state.until > now:
        return LockVerdict(state, state.until - now, 0, False, False)
    streak = 0 if state.until and now >= state.until + rules.decay else state.streak
    streak, total = streak + 1, state.total + 1
    over = streak - rules.lock_after
    until = state.until
    if over == 0:
        until = now + rules.first_lock
    elif over > 0:
        until = now + max(rules.first_lock, _LATER_LOCKS[min(over, len(_LATER_LOCKS)) - 1])
    delay = 0
    if streak >= rules.delay_after:
        delay = min(_SECOND << min(streak - rules.delay_after, 20), rules.delay_limit)
    return LockVerdict(LockState(streak, total, until), 0, delay, over >= 0, total >= rules.disable_after)


def refund_lock(state: LockState, before: int | None) -> LockState:
    """Take one reserved try back that proved to be right; a lock that only it would have caused goes with it.

    Args:
        before: Until when the account was locked before the try; None when the try did not lock it.
    """
    return replace(
        state,
        streak=max(0, state.streak - 1),
        total=max(0, state.total - 1),
        until=state.until if before is None else before,
    )
