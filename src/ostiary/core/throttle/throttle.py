"""Owns the atomic counting: reserve before judging, settle afterwards, refuse full windows from memory."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Final

import orjson

from ostiary.core.keys.ring import THROTTLE, Keyring
from ostiary.core.throttle import rules, store
from ostiary.core.throttle.settings import ThrottleSettings
from ostiary.kernel.errors import TOO_MANY_ATTEMPTS, Refused, code
from ostiary.kernel.events import Event, EventType, Severity
from ostiary.kernel.origin import Origin, Quota
from ostiary.kernel.settings import Rate
from ostiary.kernel.world import World, span_micros
from ostiary.storage.database import Database, Reads, Transaction

ACCOUNT_LOCKED: Final = code(
    "account_locked",
    423,
    "Too many attempts. Try again later.",
    "Instead of `too_many_attempts` when `lock_status` is 423: the account is locked for `retry_after` seconds.",
)

LOCKED: Final = EventType(
    "account_locked",
    "Consecutive failures locked an account (or an identifier that nobody has).",
    Severity.WARNING,
    ("until", "failures"),
    tell_owner=True,
)
PASSWORD_DISABLED: Final = EventType(
    "password_disabled",
    "Too many consecutive failures: the password is disabled until it is reset.",
    Severity.CRITICAL,
    ("failures",),
    tell_owner=True,
)
LIMIT_REACHED: Final = EventType(
    "rate_limit_reached",
    "A rate limit refused a request; further ones are refused without a row each.",
    Severity.WARNING,
    ("limit",),
)
EVENTS: Final = (LOCKED, PASSWORD_DISABLED, LIMIT_REACHED)

_LOCK_KEPT: Final = timedelta(days=90)
_MEMORY: Final = 20_000
# While a full window holds hits as young as this, they may be sign-ins still in progress that will be given back:
# an office that arrives at nine o'clock waits a moment instead of being refused.
_IN_PROGRESS: Final = timedelta(seconds=3)
_PATIENCE: Final = timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True)
class Window:
    """A rate limit.

    Attributes:
        name: Part of the key and of the `RateLimit` header.
        rate: So many in a period.
        by_network: Counts networks, so the allow-list applies and the headers may tell.
        failures_only: A success is given back.
    """

    name: str
    rate: Rate
    by_network: bool = True
    failures_only: bool = False


@dataclass(frozen=True, slots=True)
class Lockout:
    """The lockout of an account; there is one per account for passwords and all factors together (L09)."""

    name: str = "account"


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing to count: a limit and whom it concerns."""

    limit: Window | Lockout
    subject: str


@dataclass(frozen=True, slots=True)
class HeldHit:
    """A counted hit, so that it can be given back."""

    hit: Hit
    key: bytes
    stamp: int = 0
    locks: bool = False
    disables: bool = False
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """What was reserved for one try, and how long its answer is held back."""

    hits: tuple[HeldHit, ...] = ()
    delay: timedelta = timedelta()


class _Full(Exception):
    def __init__(self, refused: Refused, key: bytes, wait: int, maybe_in_progress: bool) -> None:
        self.refused, self.key, self.wait, self.maybe_in_progress = refused, key, wait, maybe_in_progress


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
        self._allowed = [ip_network(words) for words in settings.rate_limit_allow]
        self._full: OrderedDict[bytes, int] = OrderedDict()

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
        # Always in the same order, so that two requests never wait for each other's rows.
        wanted.sort(key=lambda held: held.key)
        if not wanted:
            return Held()
        self._refuse_from_memory(wanted, origin)
        deadline = self._world.monotonic() + _IN_PROGRESS.total_seconds()
        while True:
            try:
                async with database.transaction() as tx:
                    return await self._count(tx, wanted, origin)
            except _Full as full:
                if full.maybe_in_progress and self._world.monotonic() < deadline:
                    await self._world.sleep(_PATIENCE)
                    continue
                if full.key:
                    self._remember(full.key, self._world.micros() + full.wait)
                raise full.refused from None

    async def _count(self, tx: Transaction, wanted: list[HeldHit], origin: Origin) -> Held:
        now = self._world.micros()
        counted: list[HeldHit] = []
        delay = 0
        for held in wanted:
            match held.hit.limit:
                case Window() as window:
                    counted.append(await self._count_window(tx, held, window, now, origin))
                case Lockout():
                    locked, wait = await self._count_try(tx, held, now)
                    counted.append(locked)
                    delay = max(delay, wait)
        return Held(tuple(counted), timedelta(microseconds=delay))

    async def _count_window(
        self, tx: Transaction, held: HeldHit, window: Window, now: int, origin: Origin
    ) -> HeldHit:
        period = span_micros(window.rate.period)
        hits = await self._hits(tx, held.key, now + period)
        verdict = rules.hit_window(hits, window.rate.limit, period, now)
        if window.by_network:
            self._tell_quota(origin, window, verdict.remaining, verdict.wait)
        if not verdict.allowed:
            youngest = max(at for at, _ in verdict.hits)
            in_progress = window.failures_only and now - youngest < span_micros(_IN_PROGRESS)
            raise _Full(
                self._too_many(verdict.wait, LIMIT_REACHED(limit=window.name)),
                held.key,
                verdict.wait,
                in_progress,
            )
        await _save(tx, held.key, list(verdict.hits), now + period)
        return replace(held, stamp=verdict.stamp)

    async def _count_try(self, tx: Transaction, held: HeldHit, now: int) -> tuple[HeldHit, int]:
        expires = now + span_micros(_LOCK_KEPT)
        row = await tx.one(store.LOCK, key=held.key, expires_at=expires)
        verdict = rules.try_lock(_lock_state(row), self._rules, now)
        if verdict.wait:
            raise _Full(self._too_many(verdict.wait, None), b"", verdict.wait, False)
        await _save(tx, held.key, astuple(verdict.state), expires)
        marked = replace(held, locks=verdict.locks, disables=verdict.disables, failures=verdict.state.total)
        return replace(marked, stamp=verdict.state.until), verdict.delay

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
                    await self.give_back(tx, item.key, item.stamp)
                case Lockout() if complete:
                    await tx.run(store.CLEAR, key=item.key)
                case Lockout():
                    await self._give_try_back(tx, item)
                case _:
                    pass

    async def give_back(self, tx: Transaction, key: bytes, stamp: int) -> None:
        """Take one counted hit out of a window again."""
        now = self._world.micros()
        row = await tx.one(store.LOCK, key=key, expires_at=now)
        hits = rules.refund_window(_window_state(row), stamp)
        if hits:
            await tx.run(store.REPLACE, at_key=key, new_state=_dump(list(hits)))
        else:
            await tx.run(store.CLEAR, key=key)
        self._full.pop(key, None)

    async def _give_try_back(self, tx: Transaction, item: HeldHit) -> None:
        expires = self._world.micros() + span_micros(_LOCK_KEPT)
        row = await tx.one(store.LOCK, key=item.key, expires_at=expires)
        state = _lock_state(row)
        given_back = rules.refund_lock(state, item.locks and state.until == item.stamp)
        await _save(tx, item.key, astuple(given_back), expires)

    def failure_events(self, held: Held, account_id: str | None) -> list[Event]:
        """What a counted failure means beyond itself: the account is now locked, or its password disabled."""
        events: list[Event] = []
        for item in held.hits:
            if item.locks:
                events.append(LOCKED(account_id, until=item.stamp, failures=item.failures))
            if item.disables:
                events.append(PASSWORD_DISABLED(account_id, failures=item.failures))
        return events

    async def clear(self, tx: Transaction, hit: Hit) -> None:
        """Forget everything about a subject: an administrator unlocks, or a password was reset."""
        await tx.run(store.CLEAR, key=self.key(hit))

    async def sweep(self, tx: Transaction, batch: int) -> int:
        """Remove counters that no longer count, at most `batch`."""
        return await tx.run(store.SWEEP, now=self._world.micros(), batch=batch)

    async def _hits(self, tx: Reads, key: bytes, expires_at: int) -> rules.Hits:
        return _window_state(await tx.one(store.LOCK, key=key, expires_at=expires_at))

    def _is_allowed(self, hit: Hit) -> bool:
        if not (isinstance(hit.limit, Window) and hit.limit.by_network and self._allowed):
            return False
        try:
            address = ip_address(hit.subject.partition("/")[0])
        except ValueError:
            return False
        return any(address in network for network in self._allowed)

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
        origin.quotas.append(
            Quota(window.name, window.rate.limit, window.rate.period, remaining, timedelta(microseconds=wait))
        )

    def _refuse_from_memory(self, wanted: list[HeldHit], origin: Origin) -> None:
        now = self._world.micros()
        for held in wanted:
            until = self._full.get(held.key)
            if until is None:
                continue
            if until <= now:
                del self._full[held.key]
                continue
            if isinstance(held.hit.limit, Window) and held.hit.limit.by_network:
                self._tell_quota(origin, held.hit.limit, 0, until - now)
            raise Refused(TOO_MANY_ATTEMPTS, "limit reached", retry_after=timedelta(microseconds=until - now))

    def _remember(self, key: bytes, until: int) -> None:
        self._full[key] = until
        if len(self._full) > _MEMORY:
            self._full.popitem(last=False)


def _window_state(row: store.Counter | None) -> rules.Hits:
    if row is None or not row.state:
        return ()
    return tuple((at, count) for at, count in orjson.loads(row.state))


def _lock_state(row: store.Counter | None) -> rules.LockState:
    if row is None or not row.state:
        return rules.LockState()
    return rules.LockState(*orjson.loads(row.state))


def _dump(state: object) -> str:
    return orjson.dumps(state).decode()


async def _save(tx: Transaction, key: bytes, state: object, expires_at: int) -> None:
    await tx.run(store.SAVE, at_key=key, new_state=_dump(state), new_expires_at=expires_at)
