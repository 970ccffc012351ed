"""Owns the claims of a token (RFC 7519): who made it, for whom, of which kind, and whether it holds now.

The order is that of the section in the specification: parse – find the key – check the signature – read the payload –
judge the claims. Nothing of the payload is looked at before the signature is known to be right.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import orjson

from ostiary.kernel.errors import Misuse
from ostiary.protocols import strict_json
from ostiary.protocols.jose import jws
from ostiary.protocols.jose.jwk import KeySet
from ostiary.protocols.jose.keys import SigningKey, VerifyingKey
from ostiary.protocols.jose.refusals import TokenRefused, Why

LONGEST_LEEWAY: Final = timedelta(seconds=60)
_TEXT_CLAIMS: Final = ("sub", "jti")
_TIME_CLAIMS: Final = ("exp", "nbf", "iat")
_MOST_VALUES: Final = 10_000  # the size of the message bounds them before this does
LATEST: Final = 253_402_300_800  # the first second of the year 10000, which a datetime cannot hold


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must be to be accepted.

    Attributes:
        issuer: Exactly `iss`, which is text and never a list.
        audience: Must be `aud` or one of it. None for a kind of token that has none; then there may be none.
        typ: Exactly the header's `typ`, without ``application/``, in any case. None for kinds without a type of
            their own (an ID token): then it is absent or ``JWT``, so that no other kind passes (F9).
        leeway: How far clocks may be apart, at most 60 s.
        required: Claims that must be there besides `iss`, `exp` and `aud`.
    """

    issuer: str
    audience: str | None
    typ: str | None
    leeway: timedelta = timedelta(seconds=30)
    required: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not timedelta() <= self.leeway <= LONGEST_LEEWAY:
            raise Misuse("the leeway for clocks is between 0 and 60 seconds")
        if not self.issuer or self.audience == "" or self.typ == "":
            raise Misuse("an expected issuer, audience or type is not empty")
        if self.typ is not None and self.typ != self.typ.lower().removeprefix("application/"):
            raise Misuse("an expected type is written in lower case and without application/")


@dataclass(frozen=True, slots=True)
class Token:
    """A token that is what it should be.

    Attributes:
        issuer: `iss`.
        audience: `aud` as a list; empty for kinds without one.
        subject: `sub`, if there is one.
        expires_at: `exp`.
        issued_at: `iat`, if there is one.
        kid: The key that signed it.
        claims: All claims. Those registered in RFC 7519 have the right type; others are as their issuer wrote them.
    """

    issuer: str
    audience: tuple[str, ...]
    subject: str | None
    expires_at: datetime
    issued_at: datetime | None
    kid: str | None
    claims: Mapping[str, Any]


def read(
    token: str,
    keys: KeySet,
    expected: Expected,
    now: datetime,
    *,
    limit: int = jws.MOST_CHARACTERS,
    carrying: Collection[str] = (),
) -> Token:
    """Read a token and judge all of it.

    Args:
        token: The compact form.
        keys: Whom we believe.
        expected: What it must be.
        now: The present moment.
        limit: See `jws.parse`.
        carrying: See `jws.parse`.

    Raises:
        TokenRefused: it is not; `token_expired` when nothing but its time is wrong.
    """
    message = jws.parse(token, limit=limit, carrying=carrying)
    key = keys.find(message.kid)
    if key is None:
        raise TokenRefused(Why.KEY_UNKNOWN)
    return judge(message, key, expected, now)


def judge(message: jws.Unverified, key: VerifyingKey, expected: Expected, now: datetime) -> Token:
    """The second half of `read`, for whoever finds keys in another way.

    Raises:
        TokenRefused: see `read`.
    """
    jws.check(message, key)
    if message.typ != expected.typ and not (expected.typ is None and message.typ == "jwt"):
        raise TokenRefused(Why.TYPE)
    claims = _claims(message.payload)
    for name in expected.required:
        if name not in claims:
            raise TokenRefused(Why.CLAIM_MISSING, name)
    if claims.get("iss") != expected.issuer:
        raise TokenRefused(Why.ISSUER)
    audience = _audience(claims)
    if expected.audience is None:
        if "aud" in claims:  # it is meant for somebody, and we are nobody in particular
            raise TokenRefused(Why.AUDIENCE)
    elif expected.audience not in audience:
        raise TokenRefused(Why.AUDIENCE)
    _judge_times(claims, expected.leeway.total_seconds(), now.timestamp())
    issued_at = claims.get("iat")
    return Token(
        issuer=expected.issuer,
        audience=audience,
        subject=claims.get("sub"),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        issued_at=None if issued_at is None else datetime.fromtimestamp(issued_at, UTC),
        kid=key.kid,
        claims=MappingProxyType(claims),
    )


def _claims(payload: bytes) -> dict[str, Any]:
    try:
        claims = strict_json.parse(payload, most_values=_MOST_VALUES)
    except ValueError as error:
        raise TokenRefused(Why.PAYLOAD, str(error)) from None
    if type(claims) is not dict:
        raise TokenRefused(Why.PAYLOAD, "no object")
    for name in _TEXT_CLAIMS:
        if name in claims and (type(claims[name]) is not str or not claims[name]):
            raise TokenRefused(Why.PAYLOAD, name)
    # RFC 7519 section 2 allows fractions. We make none, every issuer we know makes none, and how a huge or tiny one is
    # rounded differs between programs: whole seconds from 1970 to 9999, not even true (F10).
    for name in _TIME_CLAIMS:
        if name in claims and (type(value := claims[name]) is not int or not 0 <= value < LATEST):
            raise TokenRefused(Why.PAYLOAD, name)
    if "exp" not in claims:
        raise TokenRefused(Why.CLAIM_MISSING, "exp")
    return claims


def _audience(claims: dict[str, Any]) -> tuple[str, ...]:
    value = claims.get("aud", ())
    if type(value) is str:
        return (value,)
    if type(value) is list and all(type(each) is str for each in value):
        return tuple(value)
    if value == ():
        return ()
    raise TokenRefused(Why.PAYLOAD, "aud")


def _judge_times(claims: dict[str, Any], leeway: float, now: float) -> None:
    if claims.get("nbf", 0) > now + leeway:
        raise TokenRefused(Why.NOT_YET_VALID)
    if claims.get("iat", 0) > now + leeway:
        raise TokenRefused(Why.ISSUED_IN_FUTURE)
    # Last: only who is right about everything else learns that the time is over.
    if claims["exp"] + leeway <= now:
        raise TokenRefused(Why.EXPIRED)


def write(key: SigningKey, claims: Mapping[str, Any], typ: str) -> str:
    """Sign a token.

    Args:
        key: Signs it.
        claims: With `exp` and the other times in whole seconds.
        typ: Its kind, such as ``at+jwt``.
    """
    return jws.write(key, orjson.dumps(claims), typ)
