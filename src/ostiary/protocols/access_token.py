"""Owns what an access token says (RFC 9068): its kind, the claims it cannot do without, and reading them into types.

Who makes them and what may be done with one is said elsewhere; the engine and the verifier read them through this.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ostiary.protocols.jose.jwt import LATEST, Expected, Token
from ostiary.protocols.jose.refusals import TokenRefused, Why

TYPE: Final = "at+jwt"
REQUIRED: Final = frozenset({"sub", "client_id", "iat", "jti"})  # and iss, aud, exp (RFC 9068 section 2.2)

_LEVELS: Final = {"1": 1, "2": 2}  # what is none of them shows nothing


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token that is what it should be, in words of our own.

    Attributes:
        id: `jti`.
        subject: `sub`: the account, or the client itself where it acts for nobody.
        client_id: To whom it was issued.
        audience: For whom it is, ourselves among them.
        session_id: `sid`: the session it came from, if any; when that ends, the token is over.
        scopes: What the client may do.
        roles: What the subject is.
        amr: How the subject was authenticated, in order (RFC 8176).
        acr: The authentication context class: "1" one factor, "2" two factors.
        authenticated_at: `auth_time`: when the last proof was given.
        issued_at: `iat`.
        expires_at: `exp`.
        version: `ver`: of the subject's rights; a newer one makes the token stale.
        kid: The key that signed it.
        claims: All of them.
    """

    id: str
    subject: str
    client_id: str
    audience: tuple[str, ...]
    session_id: str | None
    scopes: frozenset[str]
    roles: frozenset[str]
    amr: tuple[str, ...]
    acr: str | None
    authenticated_at: datetime | None
    issued_at: datetime
    expires_at: datetime
    version: int | None
    kid: str | None
    claims: Mapping[str, Any] = field(repr=False)


def expected(issuer: str, audience: str, leeway: timedelta = timedelta(seconds=30)) -> Expected:
    """What an access token for `audience` must be."""
    return Expected(issuer, audience, TYPE, leeway, REQUIRED)


def of(token: Token) -> AccessToken:
    """Read the claims of a token that was judged by `expected`.

    Raises:
        TokenRefused: a claim has the wrong type.
    """
    claims = token.claims
    if token.subject is None or token.issued_at is None:
        raise TokenRefused(Why.CLAIM_MISSING)
    authenticated_at = _integer(claims, "auth_time", LATEST)
    return AccessToken(
        id=claims["jti"],
        subject=token.subject,
        client_id=_text(claims, "client_id") or "",
        audience=token.audience,
        session_id=_text(claims, "sid"),
        scopes=frozenset((_text(claims, "scope", may_be_empty=True) or "").split()),
        roles=frozenset(_texts(claims, "roles")),
        amr=_texts(claims, "amr"),
        acr=_text(claims, "acr"),
        authenticated_at=None if authenticated_at is None else datetime.fromtimestamp(authenticated_at, UTC),
        issued_at=token.issued_at,
        expires_at=token.expires_at,
        version=_integer(claims, "ver", 2**63),
        kid=token.kid,
        claims=claims,
    )


def require_proof(token: AccessToken, now: datetime, max_age: timedelta | None, acr: str | None) -> None:
    """Demand that the subject has signed in lately, or has shown enough.

    Args:
        max_age: How long ago the last proof may be.
        acr: The least: "1" one factor, "2" two factors.

    Raises:
        TokenRefused: with all that was asked for in its challenge, so that one sign-in satisfies it (RFC 9470).
    """
    asked: dict[str, str | int] = {}
    if max_age is not None:
        asked["max_age"] = int(max_age.total_seconds())
    if acr is not None:
        asked["acr_values"] = acr
    if acr is not None and _LEVELS.get(token.acr or "", 0) < _LEVELS[acr]:
        raise TokenRefused(Why.PROOF_TOO_WEAK, asked=asked)
    if max_age is not None and (token.authenticated_at is None or now > token.authenticated_at + max_age):
        raise TokenRefused(Why.PROOF_TOO_OLD, asked=asked)


def _text(claims: Mapping[str, Any], name: str, *, may_be_empty: bool = False) -> str | None:
    if name not in claims:
        return None
    value = claims[name]
    if type(value) is not str or not (value or may_be_empty):
        raise TokenRefused(Why.PAYLOAD, name)
    return value


def _texts(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = claims.get(name, [])
    if type(value) is not list or not all(type(each) is str for each in value):
        raise TokenRefused(Why.PAYLOAD, name)
    return tuple(value)


def _integer(claims: Mapping[str, Any], name: str, below: int) -> int | None:
    if name not in claims:
        return None
    value = claims[name]
    if type(value) is not int or not 0 <= value < below:
        raise TokenRefused(Why.PAYLOAD, name)
    return value
