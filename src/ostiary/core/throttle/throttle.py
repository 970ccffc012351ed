"""Owns the atomic counting: reserve before judging, settle afterwards, refuse full windows from memory."""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Final, assert_never

import orjson

from ostiary.core.keys.ring import THROTTLE, Keyring
from ostiary.core.throttle import rules, store
from ostiary.core.throttle.limits import (
    ACCOUNT_LOCKED,
    LIMIT_REACHED,
    LOCKED,
    LOCKED_AGAIN,
    PASSWORD_DISABLED,
    PASSWORD_STAYS_DISABLED,
    Held,
    HeldHit,
    Hit,
    Lockout,
    Window,
)
from ostiary.core.throttle.settings import ThrottleSettings
from ostiary.kernel.errors import TOO_MANY_ATTEMPTS, Code, Misuse, Refused
from ostiary.kernel.events import Event
from ostiary.kernel.origin import Origin, Quota
from ostiary.kernel.world import World, span_micros
from ostiary.storage.database import Database, Transaction

_LOCK_KEPT: Final = timedelta(days=90)
_MEMORY: Final = 20_000
# While a full window holds hits as young as this, they may be sign-ins still in progress that will be given back:
# an office that arrives at nine o'clock waits a moment instead of being refused.
_IN_PROGRESS: Final = timedelta(seconds=3)
_PATIENCE: Final = timedelta(milliseconds=100)
_MOST_WAITING: Final = 40
# What a process remembers must not outlive what another process has given back or an administrator has unlocked.
_REMEMBERED: Final = timedelta(seconds=10)
_LOCK_REMEMBERED: Final = timedelta(seconds=2)


class _Full(Exception):
    """A window is full (`limit` hits) or an account is locked (no limit).

    Args:
        refused: What the caller is told.
        key: Of the counter.
        wait: For how long, in microseconds.
        limit: How many the window takes; 0 for a lockout.
        maybe_in_progress: Some of its hits may still be given back.
    """

    def __init__(
        self, refused: Refused, key: bytes, wait: int, limit: int = 0, *, maybe_in_progress: bool = False
    ) -> None:
        super().__init__(refused)
        self.refused = refused
        self.key = key
        self.wait = wait
        self.limit = limit
        self.maybe_in_progress = maybe_in_progress


@dataclass(frozen=True, slots=True)
class _Shut:
    """What this process remembers of a refusal: for how long it may, and when the refusal ends."""

    until: int
    ends_at: int
    code: Code


class Throttle:
    """Counts tries, atomically and in SQL.

    Args:
        world: The clock.
        ring: Hides subjects in keys.
        settings: Lockout numbers and the allow-list.
    """

    def __init__(self, world: World, ring: Keyring, settings: ThrottleSettings) -> None:
        self._world = world
        self._ring = ring
        self._settings = settings
        self._rules = rules.LockRules(
            settings.lock_after,
            span_micros(settings.first_lock),
            span_micros(settings.lock_decay),
            settings.delay_after,
            span_micros(settings.delay_limit),
            settings.disable_after,
        )
        self._known_limit = min(
            max(settings.known_browser_limit, settings.lock_after), settings.disable_after
        )
        self._allowed = [ip_network(words) for words in settings.rate_limit_allow]
        self._shut: OrderedDict[bytes, _Shut] = OrderedDict()
        self._waiting: Counter[bytes] = Counter()

    def key(self, hit: Hit) -> bytes:
        """The row's key: a keyed hash, since people type passwords into fields for names."""
        mac = self._ring.mac(THROTTLE, type(hit.limit).__name__, hit.limit.name, hit.subject)
        return mac.encode()

    async def reserve(self, database: Database, origin: Origin, hits: Iterable[Hit]) -> Held:
        """Count every hit, or none when one of them is refused.

        Raises:
            Refused: a window is full or the account is locked; `retry_after` says for how long.
        """
        wanted = [HeldHit(hit, self.key(hit)) for hit in hits if not self._is_allowed(hit)]
        # Always in the same order, so that two requests never wait for each other's rows. Accounts and addresses come
        # first: their refusal then never carries a network's headers, whatever the keys happen to be (L16).
        wanted.sort(key=lambda held: (_is_by_network(held.hit), held.key))
        if not wanted:
            return Held()
        if len({held.key for held in wanted}) < len(wanted) or len(wanted) > store.MOST_AT_ONCE:
            raise Misuse(f"a flow reserves different hits, {store.MOST_AT_ONCE} at most")
        self._refuse_full(wanted, origin)
        deadline = self._world.monotonic() + _IN_PROGRESS.total_seconds()
        told = len(origin.quotas)
        while True:
            del origin.quotas[told:]
            try:
                async with database.transaction() as tx:
                    return await self._count(tx, wanted, origin)
            except _Full as full:
                if not full.maybe_in_progress or not await self._wait_for_room(database, full, deadline):
                    self._remember(full)
                    raise full.refused from None

    async def _wait_for_room(self, database: Database, full: _Full, deadline: float) -> bool:
        """Wait until a sign-in that is under way gives its place back; False when none did in time.

        Looking is a plain read, and few may wait for one key: otherwise one network could keep the writer busy.
        """
        if self._waiting[full.key] >= _MOST_WAITING:
            return False
        self._waiting[full.key] += 1
        try:
            while self._world.monotonic() < deadline:
                await self._world.sleep(_PATIENCE)
                row = await database.one(store.PEEK, key=full.key)
                if sum(count for _, count in _hits(row.state if row else "")) < full.limit:
                    return True
            return False
        finally:
            self._waiting[full.key] -= 1
            if not self._waiting[full.key]:
                del self._waiting[full.key]

    def refuse_full(self, origin: Origin, hits: Iterable[Hit]) -> None:
        """Refuse what this process knows to be exhausted; nothing is read, written or counted.

        Raises:
            Refused: a window is full.
        """
        if not self._shut:
            return
        self._refuse_full([HeldHit(hit, self.key(hit)) for hit in hits if not self._is_allowed(hit)], origin)

    async def _count(self, tx: Transaction, wanted: list[HeldHit], origin: Origin) -> Held:
        now = self._world.micros()
        states = await store.lock(tx, [(held.key, self._kept_until(held.hit, now)) for held in wanted])
        counted: list[HeldHit] = []
        saved: list[tuple[bytes, str, int]] = []
        delay = 0
        for held in wanted:
            stored = states[held.key]
            match held.hit.limit:
                case Window() as window:
                    marked, state = self._count_hit(held, window, stored, now, origin)
                case Lockout() as lockout:
                    marked, state, wait = self._count_try(held, lockout, stored, now)
                    delay = max(delay, wait)
                case _:
                    assert_never(held.hit.limit)
            counted.append(marked)
            saved.append((held.key, state, self._kept_until(held.hit, now)))
        await store.save(tx, saved)
        return Held(tuple(counted), timedelta(microseconds=delay))

    @staticmethod
    def _kept_until(hit: Hit, now: int) -> int:
        return now + span_micros(hit.limit.rate.period if isinstance(hit.limit, Window) else _LOCK_KEPT)

    def _count_hit(
        self, held: HeldHit, window: Window, stored: str, now: int, origin: Origin
    ) -> tuple[HeldHit, str]:
        verdict = rules.hit_window(_hits(stored), window.rate.limit, span_micros(window.rate.period), now)
        if window.is_told:
            self._tell_quota(origin, window, verdict.remaining, verdict.wait)
        if not verdict.allowed:
            youngest = max(at for at, _ in verdict.hits)
            in_progress = window.failures_only and now - youngest < span_micros(_IN_PROGRESS)
            raise _Full(
                self._too_many(verdict.wait, LIMIT_REACHED(limit=window.name)),
                held.key,
                verdict.wait,
                window.rate.limit,
                maybe_in_progress=in_progress,
            )
        return replace(held, stamp=verdict.stamp, is_alone=len(verdict.hits) == 1), _dump(verdict.hits)

    def _count_try(self, held: HeldHit, lockout: Lockout, stored: str, now: int) -> tuple[HeldHit, str, int]:
        state = _lock_state(stored)
        if lockout.is_strict and state.total >= self._known_limit:
            raise _Full(self._too_many(self._rules.decay, None), held.key, self._rules.decay)
        verdict = rules.try_lock(state, self._rules, now)
        if verdict.wait:
            raise _Full(self._too_many(verdict.wait, None), held.key, verdict.wait)
        marked = replace(
            held,
            stamp=verdict.state.until,
            before=state.until,
            locks=verdict.locks,
            disables=verdict.disables,
            failures=verdict.state.total,
        )
        return marked, _dump(astuple(verdict.state)), verdict.delay

    async def fits(self, tx: Transaction, window: Window, subject: str) -> bool:
        """Count one more in the caller's own transaction, for a limit that must not show; False when it is full."""
        key, now = self.key(Hit(window, subject)), self._world.micros()
        expires = self._kept_until(Hit(window, subject), now)
        hits = _hits((await store.lock(tx, [(key, expires)]))[key])
        verdict = rules.hit_window(hits, window.rate.limit, span_micros(window.rate.period), now)
        if verdict.allowed:
            await store.save(tx, [(key, _dump(verdict.hits), expires)])
        return verdict.allowed

    async def settle(self, tx: Transaction, held: Held, *, complete: bool) -> None:
        """After a success: give failure windows back; clear the account's counter, or only give the try back.

        Args:
            tx: The transaction of the change.
            held: What was reserved.
            complete: Everything is proven. A partial proof clears nothing, or knowing the password would be a way to
                reset the count of wrong codes (L09).
        """
        for item in held.hits:
            match item.hit.limit:
                case Window(failures_only=True):
                    await self.give_back(tx, item.key, item.stamp, is_alone=item.is_alone)
                case Lockout() if complete:
                    await self._clear(tx, item.key)
                case Lockout():
                    await self._give_try_back(tx, item)
                case _:
                    pass

    async def undo(self, tx: Transaction, held: Held) -> None:
        """Give everything back: it came to nothing, and not by the caller's fault."""
        for item in held.hits:
            match item.hit.limit:
                case Window(counts_work=True):
                    pass
                case Window():
                    await self.give_back(tx, item.key, item.stamp, is_alone=item.is_alone)
                case Lockout():
                    await self._give_try_back(tx, item)
                case _:
                    assert_never(item.hit.limit)

    async def give_back(self, tx: Transaction, key: bytes, stamp: int, *, is_alone: bool = False) -> None:
        """Take one counted hit out of a window again.

        Args:
            tx: The transaction of the change.
            key: The window's.
            stamp: The hit's.
            is_alone: There was no other hit when it was counted; which way is tried first, nothing more.
        """
        hit = _dump((stamp, 1))

        async def as_the_only_one() -> int:
            return await tx.run(store.CLEAR_IF, key=key, state=f"[{hit}]")

        async def out_of_several() -> int:
            return await tx.run(store.TAKE_OUT, at_key=key, hit_and_comma=f"{hit},", comma_and_hit=f",{hit}")

        usual, other = (as_the_only_one, out_of_several) if is_alone else (out_of_several, as_the_only_one)
        if not await usual() and not await other():
            await self._give_back_by_hand(tx, key, stamp)
        self._shut.pop(key, None)

    async def _give_back_by_hand(self, tx: Transaction, key: bytes, stamp: int) -> None:
        """For a hit that shares its slot with others, or has left the window."""
        states = await store.lock(tx, [(key, self._world.micros())])
        hits = rules.refund_window(_hits(states[key]), stamp)
        if hits:
            await tx.run(store.REPLACE, at_key=key, new_state=_dump(hits))
        else:
            await tx.run(store.CLEAR, key=key)

    async def _give_try_back(self, tx: Transaction, item: HeldHit) -> None:
        expires = self._kept_until(item.hit, self._world.micros())
        state = _lock_state((await store.lock(tx, [(item.key, expires)]))[item.key])
        given_back = rules.refund_lock(
            state, item.before if item.locks and state.until == item.stamp else None
        )
        await store.save(tx, [(item.key, _dump(astuple(given_back)), expires)])

    def failure_events(self, held: Held, account_id: str | None) -> list[Event]:
        """What a counted failure means beyond itself: the account is now locked, or its password disabled."""
        events: list[Event] = []
        for item in held.hits:
            if isinstance(item.hit.limit, Lockout) and item.hit.limit.is_strict:
                continue
            if item.locks:
                # One mail until the next success, or whoever tries for days would fill the owner's mailbox.
                event = LOCKED if item.failures == self._rules.lock_after else LOCKED_AGAIN
                events.append(event(account_id, until=item.stamp, failures=item.failures))
            if item.disables:
                is_first = item.failures == self._rules.disable_after
                disabled = PASSWORD_DISABLED if is_first else PASSWORD_STAYS_DISABLED
                events.append(disabled(account_id, failures=item.failures))
        return events

    async def clear(self, tx: Transaction, hit: Hit) -> None:
        """Forget everything about a subject: an administrator unlocks, or a password was reset."""
        await self._clear(tx, self.key(hit))

    async def sweep(self, tx: Transaction, batch: int) -> int:
        """Remove counters that no longer count, at most `batch`."""
        return await tx.run(store.SWEEP, now=self._world.micros(), batch=batch)

    def _is_allowed(self, hit: Hit) -> bool:
        if not (_is_by_network(hit) and self._allowed):
            return False
        try:
            subject = ip_network(hit.subject)
        except ValueError:
            return False
        # An IPv6 subject is a /64: whoever allows one address of it allows its owner.
        return any(
            subject.version == network.version and subject.overlaps(network) for network in self._allowed
        )

    def _too_many(self, wait: int, event: Event | None) -> Refused:
        public = TOO_MANY_ATTEMPTS
        if event is None and self._settings.lock_status != TOO_MANY_ATTEMPTS.status:
            public = ACCOUNT_LOCKED
        return Refused(
            public,
            "limit reached" if event else "locked",
            retry_after=timedelta(microseconds=wait),
            events=(event,) if event else (),
        )

    def _tell_quota(self, origin: Origin, window: Window, remaining: int, wait: int) -> None:
        name, rate = window.policy or window.name, window.rate
        origin.quotas.append(Quota(name, rate.limit, rate.period, remaining, timedelta(microseconds=wait)))

    def _refuse_full(self, wanted: list[HeldHit], origin: Origin) -> None:
        now = self._world.micros()
        for held in wanted:
            shut = self._shut.get(held.key)
            if shut is None:
                continue
            if min(shut.until, shut.ends_at) <= now:
                del self._shut[held.key]
                continue
            wait = shut.ends_at - now
            if isinstance(held.hit.limit, Window) and held.hit.limit.is_told:
                self._tell_quota(origin, held.hit.limit, 0, wait)
            raise Refused(shut.code, "limit reached", retry_after=timedelta(microseconds=wait))

    def _remember(self, full: _Full) -> None:
        now = self._world.micros()
        longest = span_micros(_REMEMBERED if full.limit else _LOCK_REMEMBERED)
        self._shut[full.key] = _Shut(now + longest, now + full.wait, full.refused.code)
        if len(self._shut) > _MEMORY:
            self._shut.popitem(last=False)

    async def _clear(self, tx: Transaction, key: bytes) -> None:
        await tx.run(store.CLEAR, key=key)
        self._shut.pop(key, None)


def _is_by_network(hit: Hit) -> bool:
    return isinstance(hit.limit, Window) and hit.limit.by_network


def _hits(stored: str) -> rules.Hits:
    return tuple((at, count) for at, count in orjson.loads(stored)) if stored else ()


def _lock_state(stored: str) -> rules.LockState:
    return rules.LockState(*orjson.loads(stored)) if stored else rules.LockState()


def _dump(state: object) -> str:
    return orjson.dumps(state).decode()
