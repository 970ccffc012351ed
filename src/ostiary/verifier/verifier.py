"""Owns `Verifier`, for asynchronous programs."""

import asyncio
import os
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from ostiary.kernel.errors import Misuse, Unavailable
from ostiary.kernel.world import World
from ostiary.protocols import access_token
from ostiary.protocols.access_token import AccessToken
from ostiary.protocols.jose import jws
from ostiary.protocols.jose.refusals import TokenRefused, Why
from ostiary.verifier.follower import Follower, State
from ostiary.verifier.issuer import Issuer
from ostiary.verifier.knowledge import Knowledge, Moment

SHORTEST_TOLERATED: Final = timedelta(
    seconds=60
)  # a poll that is answered as it should be takes 25 s of them

_A_YEAR: Final = 366 * 24 * 60  # in minutes


class Verifier:
    """Checks access tokens of one issuer for one audience.

    It starts with its first use, or by `start`, and belongs to the event loop in which that happens. After a fork, or
    in a new loop when the old one is closed, it starts again by itself.

    Args:
        issuer: Exactly the tokens' `iss`, such as ``https://id.example.com``.
        audience: Must be in the tokens' `aud`; usually this service's own address.
        leeway: How far clocks may be apart, at most 60 s.
        tolerated_staleness: How long tokens are accepted while the issuer cannot be asked what was revoked; at least a
            minute. Then every token gets `Unavailable`.
        keys_url: Where the issuer's keys are, if not at ``{issuer}/oauth2/jwks``.
        feed_url: Where its feed is, if not at ``{issuer}/auth/revocations``.
        remembered: How many good tokens are kept for being seen again.
        world: Clock and chance.

    Raises:
        Misuse: an address is not https, or a duration is out of bounds.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        leeway: timedelta = timedelta(seconds=30),
        tolerated_staleness: timedelta = timedelta(minutes=5),
        keys_url: str | None = None,
        feed_url: str | None = None,
        remembered: int = 10_000,
        world: World | None = None,
    ) -> None:
        if tolerated_staleness < SHORTEST_TOLERATED:
            raise Misuse(
                "tolerated_staleness: a minute is the least, since a quiet feed answers every 25 seconds"
            )
        if remembered < 0:
            raise Misuse("remembered: must not be negative")
        self._issuer = Issuer.at(issuer, keys_url, feed_url)
        self._world = world or World()
        self._leeway = leeway
        self._tolerated = tolerated_staleness
        self._knowledge = Knowledge(
            access_token.expected(issuer, audience, leeway), tolerated_staleness, remembered
        )
        self._follower: Follower | None = None
        self._home: tuple[int, asyncio.AbstractEventLoop] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Begin to follow the issuer, and wait until it was asked once. It need not be there yet."""
        await self._following().first_try()

    async def close(self) -> None:
        """Stop following. Verifying would start it again."""
        follower, self._follower, self._home = self._follower, None, None
        if follower is not None:
            await follower.stop()

    @property
    def state(self) -> State:
        """How well the issuer is known, for a health check or a metric."""
        if self._follower is None:
            return State("starting", None, "", 0, 0)
        return self._follower.state()

    async def verify(self, token: str) -> AccessToken:
        """Judge an access token.

        Costs no call, except to wait for the very first answer of the issuer, or to look at its keys when the token
        names an unknown one; that happens at most every ten seconds, whatever tokens come.

        Args:
            token: As it came, without ``Bearer``.

        Raises:
            TokenRefused: answer 401 with its `code`: `token_expired` and `token_stale` (get a new one), `session_ended`
                (sign in again), `token_invalid`.
            Unavailable: answer 503: the issuer could not be asked, for the first time or for too long.
        """
        follower = self._following()
        try:
            return self.judge(token)
        except Unavailable:
            await follower.first_try()
        except TokenRefused as refused:
            if refused.why is not Why.KEY_UNKNOWN:
                raise
            await follower.look_for(jws.parse(token).kid)
        return self.judge(token)

    def judge(self, token: str) -> AccessToken:
        """Judge an access token by what is known already: like `verify`, but it waits for nothing and starts nothing.

        May be called from any thread.

        Raises:
            TokenRefused: see `verify`; with `Why.KEY_UNKNOWN` as its `why`, `verify` may know better.
            Unavailable: see `verify`.
        """
        return self._knowledge.judge(token, Moment(self._world.now(), self._world.monotonic()))

    def require_fresh(
        self, token: AccessToken, minutes: float | None = None, *, acr: str | None = None
    ) -> None:
        """Demand more than a good token for what is sensitive: a late sign-in, two factors, or both (RFC 9470).

        A refresh makes no proof younger; its subject has to sign in again. May be called from any thread.

        Args:
            token: What `verify` has returned.
            minutes: How long ago the last proof may be; None: however long.
            acr: The least that was shown: "1" one factor, "2" two factors; None: whatever it was.

        Raises:
            TokenRefused: `fresh_authentication_required`; answer 401 with its `challenge`.
            Misuse: nothing is asked for, or no such thing.
        """
        is_time = minutes is None or 0 < minutes <= _A_YEAR
        if (minutes is None and acr is None) or not is_time or acr not in (None, "1", "2"):
            raise Misuse('require_fresh: ask for minutes above zero, for acr="1" or acr="2", or for both')
        max_age = None if minutes is None else timedelta(minutes=minutes)
        access_token.require_proof(token, self._world.now(), max_age, acr)

    def _following(self) -> Follower:
        home = (os.getpid(), asyncio.get_running_loop())
        if self._follower is not None and self._home == home:
            return self._follower
        if self._home is not None and self._home[0] == home[0] and not self._home[1].is_closed():
            raise Misuse("this verifier follows its issuer in another event loop; make one for each loop")
        self._follower = Follower(self._issuer, self._knowledge, self._world, self._leeway, self._tolerated)
        self._home = home
        self._follower.start()
        return self._follower
