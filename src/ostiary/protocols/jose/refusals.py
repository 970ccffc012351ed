"""Owns why a token or a key is refused: stable reasons, and the public codes that stand for them."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from ostiary.kernel.errors import FRESH_REQUIRED, SESSION_ENDED, Misuse, Refused, code

TOKEN_INVALID: Final = code(
    "token_invalid",
    401,
    "The token is not valid.",
    "It is malformed, was made by somebody else, for somebody else, for another purpose, or not for now.",
)
TOKEN_EXPIRED: Final = code(
    "token_expired",
    401,
    "The token has expired.",
    "Everything else about it is right; get a new one, for instance with the refresh token.",
)
TOKEN_STALE: Final = code(
    "token_stale",
    401,
    "The token is out of date.",
    "What its subject may do has changed since it was issued; get a new one with the refresh token.",
)


class Why(StrEnum):
    """The reason of a refusal, for logs, counters and tests; callers outside only learn the public code."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"  # not three parts of canonical base64url
    HEADER = "header"  # not a strict JSON object, or a member of the wrong type
    ALG_NONE = "alg_none"
    ALG_UNKNOWN = "alg_unknown"
    ALG_NOT_OF_KEY = "alg_not_of_key"
    CRIT = "crit"
    UNENCODED = "unencoded"  # `b64` or `zip`
    EMBEDDED_KEY = "embedded_key"  # `jwk`, `jku`, `x5u`, `x5c`
    KEY_UNKNOWN = "key_unknown"
    SIGNATURE = "signature"
    TYPE = "type"
    PAYLOAD = "payload"  # not a strict JSON object, or a claim of the wrong type
    CLAIM_MISSING = "claim_missing"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    NOT_YET_VALID = "not_yet_valid"
    ISSUED_IN_FUTURE = "issued_in_future"
    EXPIRED = "expired"
    KEY_RETIRED = "key_retired"
    SESSION_ENDED = "session_ended"
    STALE = "stale"
    PROOF_TOO_OLD = "proof_too_old"  # the token is right, but its owner has to sign in again
    PROOF_TOO_WEAK = "proof_too_weak"


_NOTHING: Final[Mapping[str, str | int]] = MappingProxyType({})
_PUBLIC: Final = {
    Why.EXPIRED: TOKEN_EXPIRED,
    Why.STALE: TOKEN_STALE,
    Why.PROOF_TOO_OLD: FRESH_REQUIRED,
    Why.PROOF_TOO_WEAK: FRESH_REQUIRED,
    Why.SESSION_ENDED: SESSION_ENDED,
}


class TokenRefused(Refused):
    """A token is not what it should be.

    Attributes:
        why: The stable reason. The code is `token_expired` when only the time is wrong, `session_ended` or
            `token_stale` when it was revoked so, `fresh_authentication_required` when the token is right and too little
            was shown for it, else `token_invalid`.

    Args:
        asked: What would have been enough, for the challenge: `max_age` in seconds, `acr_values`.
    """

    def __init__(self, why: Why, detail: str = "", asked: Mapping[str, str | int] = _NOTHING) -> None:
        public = _PUBLIC.get(why, TOKEN_INVALID)
        super().__init__(public, f"{why}: {detail}" if detail else why.value, details=dict(asked))
        self.why = why

    @property
    def challenge(self) -> str:
        """The value of `WWW-Authenticate` for the 401 (RFC 6750 section 3, RFC 9470 section 3)."""
        error = "invalid_token" if not self.details else "insufficient_user_authentication"
        told = [("error", error), *self.details.items()]
        return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in told)


class InvalidKey(Misuse):
    """A key must not be used: malformed, too weak, private where it should be public, or for something else.

    Whoever reads keys that come from outside catches it; for a key that the operator gave, the message says what is
    wrong with it. It never carries key material.
    """
