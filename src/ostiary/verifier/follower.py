"""Owns following the issuer: fetching its keys, polling its feed, and how often either may happen.

Two loops run as long as the verifier does. The keys are looked at every five minutes, and sooner when a token names an
unknown one, but never more often than every ten seconds, however many such tokens come (L13). The feed is a long poll:
the issuer answers when there is news, or after 25 s.
"""

import asyncio
import logging
import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from ostiary.kernel.errors import Unavailable
from ostiary.kernel.world import World
from ostiary.protocols import revocations
from ostiary.protocols.jose import jwk
from ostiary.protocols.jose.jwk import KeySet
from ostiary.protocols.jose.refusals import InvalidKey, TokenRefused, Why
from ostiary.protocols.revocations import LONGEST_WAIT, Page
from ostiary.verifier.calls import CallFailed, Calls
from ostiary.verifier.issuer import Issuer
from ostiary.verifier.knowledge import Knowledge, Moment

KEYS_EVERY: Final = timedelta(minutes=5)
KEYS_AT_MOST_EVERY: Final = timedelta(seconds=10)
_MISS_HOLDS: Final = timedelta(seconds=30)
_MOST_MISSES: Final = 1024
_CALL: Final = timedelta(seconds=10)
_PATIENCE: Final = timedelta(seconds=15)
_PAGE_BYTES: Final = 1_048_576
_CURSOR_UNKNOWN: Final = frozenset({400, 404, 410, 422})
# Polls follow each other no faster than this: many sessions that end one by one come together, and an issuer that
# cannot hold a poll open, and so answers at once, is not asked all the time.
_AFTER_NEWS: Final = timedelta(milliseconds=100)
_AFTER_NOTHING: Final = timedelta(milliseconds=500)
_SHORTEST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 15.0

logger = logging.getLogger("ostiary.verifier")


@dataclass(frozen=True, slots=True)
class State:
    """How well a verifier knows its issuer.

    Attributes:
        name: `starting` (nothing is known yet), `following` (all is well), `stale` (the issuer cannot be followed, and
            tokens are still judged by what is known), `unavailable` (every token gets `Unavailable`).
        stale_for: How long ago the feed told the last time that this is all; up to 25 s while all is well.
        trouble: What is wrong, in words for a log.
        keys: How many keys are known.
        revoked: How many entries of the feed are in force.
    """

    name: Literal["starting", "following", "stale", "unavailable"]
    stale_for: timedelta | None
    trouble: str
    keys: int
    revoked: int


class Follower:
    """Keeps a verifier's knowledge current. Belongs to one event loop.

    Args:
        issuer: Whom to follow.
        knowledge: What is kept current.
        world: Clock and chance.
        leeway: How far clocks may be apart.
        tolerated: How long stale knowledge counts; only for what is logged.
    """

    def __init__(
        self, issuer: Issuer, knowledge: Knowledge, world: World, leeway: timedelta, tolerated: timedelta
    ) -> None:
        self._issuer = issuer
        self._knowledge = knowledge
        self._world = world
        self._leeway = leeway
        self._tolerated = tolerated
        self._calls = Calls()
        self._trouble: dict[str, str] = {}
        self._is_refusing = False
        self._misses: dict[str | None, float] = {}
        self._looked_at: float | None = None
        self._keys_due_at = -math.inf
        self._looking: asyncio.Task[None] | None = None
        self._loops: tuple[asyncio.Task[None], ...] = ()
        self._tried = asyncio.Event()
        self._has_keys = asyncio.Event()

    def start(self) -> None:
        """Begin to follow; returns at once."""
        self._loops = (
            asyncio.create_task(self._follow_keys(), name="ostiary verifier: keys"),
            asyncio.create_task(self._follow_feed(), name="ostiary verifier: feed"),
        )

    async def stop(self) -> None:
        """End it, and give the connections back."""
        tasks = [task for task in (*self._loops, self._looking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._calls.close()

    def moment(self) -> Moment:
        """Now."""
        return Moment(self._world.now(), self._world.monotonic())

    def state(self) -> State:
        """How things are."""
        moment = self.moment()
        stale_for = self._knowledge.stale_for(moment)
        trouble = "; ".join(self._trouble.values())
        name: Literal["starting", "following", "stale", "unavailable"]
        if stale_for is None:
            name = "unavailable" if trouble else "starting"
        elif not self._knowledge.is_current(moment):
            name = "unavailable"
        else:
            name = "stale" if trouble else "following"
        return State(name, stale_for, trouble, len(self._knowledge.keys), self._knowledge.revoked)

    async def first_try(self) -> None:
        """Wait until the issuer was asked once, whatever came of it, but not for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                await self._tried.wait()

    async def look_for(self, kid: str | None) -> None:
        """Look at the issuer's keys again because a token names an unknown one, unless that was done just now.

        Raises:
            Unavailable: the last look failed, so nobody knows whether there is such a key.
        """
        steady = self._world.monotonic()
        if self._misses.get(kid, steady) <= steady:
            if self._looking is not None or self._may_look(steady):
                await self._look()
            if self._knowledge.keys.find(kid) is None:
                if len(self._misses) >= _MOST_MISSES:
                    self._misses.clear()
                self._misses[kid] = self._world.monotonic() + _MISS_HOLDS.total_seconds()
        if "keys" in self._trouble:
            raise Unavailable(f"the issuer's keys cannot be looked at: {self._trouble['keys']}")

    def _may_look(self, steady: float) -> bool:
        return self._looked_at is None or steady - self._looked_at >= KEYS_AT_MOST_EVERY.total_seconds()

    async def _look(self) -> None:
        """Fetch the keys; whoever comes while that is going on waits for the same answer."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._fetch_keys(), name="ostiary verifier: look")
        # Unlike awaiting the task, this does not end it when somebody who waits is cancelled.
        await asyncio.wait({self._looking})

    async def _fetch_keys(self) -> None:
        self._looked_at = self._world.monotonic()
        try:
            keys = await self._published()
        except Exception as failed:  # noqa: BLE001 - whatever it is, a failed look is never a dead follower
            self._note("keys", f"keys: {_in_words(failed)}")
        else:
            moment = self.moment()
            self._knowledge.learn_keys(keys, moment, KEYS_EVERY)
            self._keys_due_at = moment.steady + KEYS_EVERY.total_seconds()
            self._misses.clear()
            self._has_keys.set()
            self._note("keys", "")
        finally:
            self._looking = None

    async def _published(self) -> KeySet:
        raw = await self._calls.get(self._issuer.keys_url, accept="*/*", size=jwk.MOST_BYTES, time=_CALL)
        keys = jwk.read_set(raw)
        if not len(keys):
            raise InvalidKey("the issuer publishes no key that we can use")
        return keys

    async def _follow_keys(self) -> None:
        failures = 0
        while True:
            # Also when a look for an unknown key has failed meanwhile: trouble is not left alone for minutes.
            if "keys" in self._trouble or self._world.monotonic() >= self._keys_due_at:
                await self._look()
            if "keys" in self._trouble:
                self._tried.set()
                failures += 1
                await self._pause(failures)
            else:
                failures = 0
                await self._world.sleep(KEYS_AT_MOST_EVERY)

    async def _follow_feed(self) -> None:
        cursor: str | None = None
        failures = 0
        waits = False
        await self._has_keys.wait()
        while True:
            begun = self._world.monotonic()
            try:
                page = await self._poll(cursor, waits=waits)
            except Exception as failed:  # noqa: BLE001 - whatever it is, a failed poll is never a dead follower
                if isinstance(failed, CallFailed) and failed.status in _CURSOR_UNKNOWN:
                    cursor = None  # begin again
                waits = False
                self._note("feed", f"revocation feed: {_in_words(failed)}")
                self._tried.set()
                failures += 1
                await self._pause(failures)
                continue
            failures = 0
            self._knowledge.learn_revoked(page.entries, self.moment(), is_all=not page.more)
            if not page.more:
                self._note("feed", "")
                self._tried.set()
            if waits:
                least = _AFTER_NEWS if page.next != cursor else _AFTER_NOTHING
                rest = begun + least.total_seconds() - self._world.monotonic()
                await self._world.sleep(timedelta(seconds=max(0.0, rest)))
            cursor, waits = page.next, not page.more

    async def _poll(self, cursor: str | None, *, waits: bool) -> Page:
        seconds = int(LONGEST_WAIT.total_seconds()) if waits else 0
        raw = await self._calls.get(
            self._issuer.feed_page(cursor, seconds),
            accept=revocations.MEDIA_TYPE,
            size=_PAGE_BYTES,
            time=_CALL + timedelta(seconds=seconds),
        )
        page = await self._read(raw.decode("latin-1"))
        if page.more and page.next == cursor:
            raise CallFailed("it promises more and does not go on")
        return page

    async def _read(self, text: str) -> Page:
        try:
            return self._read_now(text)
        except TokenRefused as refused:
            if refused.why is not Why.KEY_UNKNOWN:
                raise
        if self._looking is not None or self._may_look(self._world.monotonic()):
            await self._look()
        return self._read_now(text)

    def _read_now(self, text: str) -> Page:
        return revocations.read_page(
            text, self._knowledge.trusted(), self._issuer.name, self._world.now(), self._leeway
        )

    async def _pause(self, failures: int) -> None:
        """Wait longer after each failure, and not all verifiers for the same time."""
        longest = min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 2 ** min(failures - 1, 10))
        share = 0.5 + self._world.bytes(1)[0] / 512
        await self._world.sleep(timedelta(seconds=longest * share))

    def _note(self, part: str, trouble: str) -> None:
        """Remember what is wrong with a part, and write a line to the log when something begins or ends."""
        had = bool(self._trouble)
        if trouble:
            self._trouble[part] = trouble
        else:
            self._trouble.pop(part, None)
        refusing = not self._knowledge.is_current(self.moment())
        if self._trouble and (not had or (refusing and not self._is_refusing)):
            logger.warning(
                "the issuer %s cannot be followed (%s); %s",
                self._issuer.name,
                "; ".join(self._trouble.values()),
                "every token is refused"
                if refusing
                else f"tokens are refused when that lasts longer than {self._tolerated.total_seconds():g} s",
            )
        elif had and not self._trouble:
            logger.info("the issuer %s can be followed again", self._issuer.name)
        self._is_refusing = refusing


def _in_words(failed: Exception) -> str:
    if isinstance(failed, (CallFailed, InvalidKey, TokenRefused)):
        return str(failed)
    logger.error("a defect in following an issuer", exc_info=failed)
    return type(failed).__name__
