"""Owns the text of the revocation feed: what a page says, how what is revoked is named, and reading and writing pages.

A page is a token (`typ` ``revocations+jwt``) signed like every other one. Entries name sessions and subjects by hashes,
so that who follows the feed learns nothing but what concerns tokens in hand. Pages overlap: whoever follows keeps a set
in which the same entry may arrive many times, and forgets each after its `until`, when the last token it could concern
has expired.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeGuard, get_args

from ostiary.protocols.jose import base64url, jwt
from ostiary.protocols.jose.jwk import KeySet
from ostiary.protocols.jose.jwt import LATEST, Expected
from ostiary.protocols.jose.keys import SigningKey
from ostiary.protocols.jose.refusals import TokenRefused, Why

TYPE: Final = "revocations+jwt"
MEDIA_TYPE: Final = "application/jwt"
HOLDS_FOR: Final = timedelta(seconds=60)
LONGEST_WAIT: Final = timedelta(seconds=25)
MOST_ENTRIES: Final = 1000  # of a page; there may be more pages
_MOST_CHARACTERS: Final = 1_048_576
_LONGEST_TEXT: Final = 1024

Kind = Literal["session", "key", "subject"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that is revoked.

    Attributes:
        kind: `session`: every token of that session. `key`: every token that it signed. `subject`: every token of
            that subject whose `ver` is below `version`.
        id: `session_mark`, the key's `kid`, or `subject_mark`.
        until: Unix seconds after which no such token can be alive.
        version: For a subject only.
    """

    kind: Kind
    id: str
    until: int
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the feed.

    Attributes:
        entries: What is revoked; may repeat earlier ones.
        next: Cursor of the following poll; means something to the server alone.
        more: Whether there is more already, so that the next poll should not wait.
    """

    entries: tuple[Entry, ...]
    next: str
    more: bool


def session_mark(session_id: str) -> str:
    """How the feed names a session: by a hash of its `sid`."""
    return _mark("sid", session_id)


def subject_mark(subject: str) -> str:
    """How the feed names a subject: by a hash of its `sub`."""
    return _mark("sub", subject)


def _mark(kind: str, value: str) -> str:
    return base64url.encode(hashlib.sha256(f"{kind}:{value}".encode()).digest())


def write_page(key: SigningKey, issuer: str, page: Page, now: datetime) -> str:
    """Sign a page; it holds for a minute."""
    issued = int(now.timestamp())
    claims = {
        "iss": issuer,
        "iat": issued,
        "exp": issued + int(HOLDS_FOR.total_seconds()),
        "next": page.next,
        "more": page.more,
        "entries": [_written(entry) for entry in page.entries],
    }
    return jwt.write(key, claims, TYPE)


def _written(entry: Entry) -> dict[str, Any]:
    version = {} if entry.version is None else {"version": entry.version}
    return {"kind": entry.kind, "id": entry.id, "until": entry.until} | version


def read_page(text: str, keys: KeySet, issuer: str, now: datetime, leeway: timedelta) -> Page:
    """Read a page and judge all of it.

    A kind of entry that we do not know refuses the page: not to enforce it would be to accept what is revoked.

    Raises:
        TokenRefused: it is not signed by one of the keys, is another issuer's, is not for now, or is malformed.
    """
    wanted = Expected(issuer, None, TYPE, leeway, frozenset({"iat", "next", "more", "entries"}))
    claims = jwt.read(text, keys, wanted, now, limit=_MOST_CHARACTERS).claims
    entries, following, more = claims["entries"], claims["next"], claims["more"]
    if (
        type(entries) is not list
        or len(entries) > MOST_ENTRIES
        or type(more) is not bool
        or not _is_text(following)
    ):
        raise TokenRefused(Why.PAYLOAD, "entries, next or more")
    return Page(tuple(map(_read_entry, entries)), following, more)


def _read_entry(raw: object) -> Entry:
    if type(raw) is not dict:
        raise TokenRefused(Why.PAYLOAD, "entry")
    kind, named, until = raw.get("kind"), raw.get("id"), raw.get("until")
    if not _is_kind(kind) or not _is_text(named) or not _is_count(until, LATEST):
        raise TokenRefused(Why.PAYLOAD, "entry")
    if kind != "subject":
        return Entry(kind, named, until)
    version = raw.get("version")
    if not _is_count(version, 2**63):
        raise TokenRefused(Why.PAYLOAD, "entry")
    return Entry(kind, named, until, version)


def _is_kind(value: object) -> TypeGuard[Kind]:
    return value in get_args(Kind)


def _is_text(value: object) -> TypeGuard[str]:
    return type(value) is str and 0 < len(value) <= _LONGEST_TEXT


def _is_count(value: object, below: int) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < below
