"""Owns what a verifier knows of its issuer, and the judging of tokens by it: no I/O, and the time is an argument."""

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ostiary.kernel.errors import Unavailable
from ostiary.protocols import access_token
from ostiary.protocols.access_token import AccessToken
from ostiary.protocols.jose import jws, jwt
from ostiary.protocols.jose.jwk import KeySet
from ostiary.protocols.jose.jwt import Expected
from ostiary.protocols.jose.refusals import TokenRefused, Why
from ostiary.protocols.revocations import Entry
from ostiary.verifier.revoked import Revoked


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, on two clocks.

    Attributes:
        wall: What tokens mean; it may be set back or forth.
        steady: Seconds that only grow; by them it is told how old our knowledge is.
    """

    wall: datetime
    steady: float


@dataclass(frozen=True, slots=True)
class _Known:
    """A token that was judged before, and the second in which it is over."""

    token: AccessToken
    over: float


class Knowledge:
    """Keys, what is revoked, tokens seen before, and how current all that is.

    One thread learns; any number of threads judges.

    Args:
        expected: What a token must be.
        tolerated: For how long knowledge counts that could not be renewed.
        remembered: How many good tokens are kept, so that seeing one again costs next to nothing.
    """

    def __init__(self, expected: Expected, tolerated: timedelta, remembered: int) -> None:
        self._expected: Final = expected
        self._tolerated: Final = tolerated.total_seconds()
        self._leeway: Final = expected.leeway.total_seconds()
        self._remembered: Final = remembered
        self._known: dict[bytes, _Known] = {}
        self._lock: Final = threading.Lock()
        self._revoked: Final = Revoked()
        self._keys_until: float | None = None
        self._followed_at: float | None = None
        self.keys: KeySet = KeySet()

    def learn_keys(self, keys: KeySet, moment: Moment, fresh_for: timedelta) -> None:
        """The issuer has published these keys; they need no look for `fresh_for`."""
        if _described(keys) != _described(self.keys):
            with self._lock:  # what a key signed that is no longer published is not remembered either
                self._known = {}
                self.keys = keys
        self._keys_until = moment.steady + fresh_for.total_seconds() + self._tolerated

    def learn_revoked(self, entries: Iterable[Entry], moment: Moment, *, is_all: bool) -> None:
        """The feed has told these; `is_all` when there was no more to tell."""
        published = {key.kid for key in self.keys}
        self._revoked.add(entries, int(moment.wall.timestamp() - self._leeway), published)
        if is_all:
            self._followed_at = moment.steady

    @property
    def revoked(self) -> int:
        """How many entries of the feed are in force."""
        return len(self._revoked)

    def trusted(self) -> KeySet:
        """The published keys without those that the feed told to be retired."""
        return KeySet(key for key in self.keys if not self._revoked.has_key(key.kid))

    def stale_for(self, moment: Moment) -> timedelta | None:
        """How long ago the feed told the last time that this is all; None when it never did."""
        if self._followed_at is None:
            return None
        return timedelta(seconds=max(0.0, moment.steady - self._followed_at))

    def judge(self, token: str, moment: Moment) -> AccessToken:
        """Judge a token by what is known.

        Raises:
            TokenRefused: it is not good; `why` is `KEY_UNKNOWN` when a look at the issuer's keys might help.
            Unavailable: too little is known, or it is too old.
        """
        if trouble := self._trouble(moment.steady):
            raise Unavailable(trouble)
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()  # any text may come
        known = self._known.get(digest)
        if known is None:
            known = self._judge_new(token, digest, moment)
        elif known.over <= moment.wall.timestamp():
            self._known.pop(digest, None)
            raise TokenRefused(Why.EXPIRED)
        self._revoked.check(known.token)
        return known.token

    def is_current(self, moment: Moment) -> bool:
        """Whether tokens can be judged at all."""
        return not self._trouble(moment.steady)

    def _trouble(self, steady: float) -> str:
        if self._followed_at is None or self._keys_until is None:
            return "the issuer has not told its keys and what is revoked yet"
        if steady - self._followed_at > self._tolerated:
            return "the issuer has not told for too long what is revoked"
        if steady > self._keys_until:
            return "the issuer has not told its keys for too long"
        return ""

    def _judge_new(self, text: str, digest: bytes, moment: Moment) -> _Known:
        keys = self.keys
        message = jws.parse(text)
        key = keys.find(message.kid)
        if key is None:
            raise TokenRefused(Why.KEY_UNKNOWN)
        token = access_token.of(jwt.judge(message, key, self._expected, moment.wall))
        known = _Known(token, token.expires_at.timestamp() + self._leeway)
        with self._lock:
            if self._remembered and self.keys is keys:
                while len(self._known) >= self._remembered:
                    del self._known[next(iter(self._known))]  # the one that was seen first
                self._known[digest] = known
        return known


def _described(keys: KeySet) -> dict[str | None, dict[str, str]]:
    return {key.kid: key.members() for key in keys}
