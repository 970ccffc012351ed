"""Owns the set of what is revoked, as far as the feed has told."""

from collections.abc import Container, Iterable
from functools import lru_cache
from typing import Final

from ostiary.protocols.access_token import AccessToken
from ostiary.protocols.jose.refusals import TokenRefused, Why
from ostiary.protocols.revocations import Entry, session_mark, subject_mark

_MARKS_KEPT: Final = 16_384
_TIDY_EVERY: Final = 30
# The same tokens come again and again, and hashing their names would cost as much as everything else about them.
_session_mark: Final = lru_cache(_MARKS_KEPT)(session_mark)
_subject_mark: Final = lru_cache(_MARKS_KEPT)(subject_mark)


class Revoked:
    """Sessions, keys and subjects whose tokens are not accepted any more.

    Adding is idempotent and in any order, because pages of the feed overlap. One thread adds, any number asks.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, int] = {}
        self._keys: dict[str, int] = {}
        self._subjects: dict[str, tuple[int, int]] = {}
        self._tidied_at = 0

    def add(self, entries: Iterable[Entry], now: int, published: Container[str | None] = ()) -> None:
        """Take in what a page says, and now and then forget what is over.

        Args:
            entries: Of the page.
            now: Unix seconds; entries are kept until their `until` is past.
            published: Keys of the issuer's set. While a retired key is still published, it stays retired: who has
                stolen it could make new tokens with it.
        """
        for entry in entries:
            match entry.kind:
                case "session":
                    self._sessions[entry.id] = max(entry.until, self._sessions.get(entry.id, 0))
                case "key":
                    self._keys[entry.id] = max(entry.until, self._keys.get(entry.id, 0))
                case "subject":
                    version, until = self._subjects.get(entry.id, (0, 0))
                    self._subjects[entry.id] = max(version, entry.version or 0), max(until, entry.until)
        if now >= self._tidied_at + _TIDY_EVERY:
            self._tidied_at = now
            # Exchanged as a whole: who asks from another thread sees the old set or the new one.
            self._sessions = {mark: until for mark, until in self._sessions.items() if until >= now}
            self._keys = {kid: until for kid, until in self._keys.items() if until >= now or kid in published}
            self._subjects = {mark: told for mark, told in self._subjects.items() if told[1] >= now}

    def __len__(self) -> int:
        return len(self._sessions) + len(self._keys) + len(self._subjects)

    def has_key(self, kid: str | None) -> bool:
        """Whether a key was retired."""
        return kid in self._keys

    def check(self, token: AccessToken) -> None:
        """Refuse a token that was revoked.

        Args:
            token: In all other respects good.

        Raises:
            TokenRefused: `session_ended`, `token_stale`, or `token_invalid` for a retired key.
        """
        if token.kid in self._keys:
            raise TokenRefused(Why.KEY_RETIRED)
        if self._sessions and token.session_id and _session_mark(token.session_id) in self._sessions:
            raise TokenRefused(Why.SESSION_ENDED)
        newest = self._subjects.get(_subject_mark(token.subject)) if self._subjects else None
        # A token that says no version cannot prove that it knows of the change.
        if newest is not None and (token.version is None or token.version < newest[0]):
            raise TokenRefused(Why.STALE)
