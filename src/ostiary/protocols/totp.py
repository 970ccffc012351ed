"""Owns time-based one-time passwords (RFC 6238, on HOTP of RFC 4226): codes, the step that a code belongs to, the URI.

It never says "right": it says *which* step, so that the caller can see to it that a step is accepted once (RFC 6238
section 5.2). Six digits, 30 seconds and SHA-1 are what every authenticator app understands.
"""

import base64
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from urllib.parse import quote, urlencode

from ostiary.kernel.secret import Secret

Algorithm = Literal["SHA1", "SHA256", "SHA512"]

SECRET_BYTES: Final = 20  # 160 bits, as RFC 4226 section 4 recommends
DIGITS: Final = 6
PERIOD: Final = timedelta(seconds=30)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# What people type between digits, and what apps and mail programs make of it.
_BETWEEN: Final = frozenset("-\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}")


def step_at(now: datetime) -> int:
    """The number of the time step that `now` falls into (RFC 6238 section 4.2)."""
    return (now - _EPOCH) // PERIOD


def hotp(secret: Secret, counter: int, *, digits: int = DIGITS, algorithm: Algorithm = "SHA1") -> Secret:
    """The one-time password of a counter (RFC 4226 section 5.3); of a time step, it is a TOTP.

    Args:
        secret: The raw bytes that both sides know.
        counter: At least 0.
        digits: How long the password is, 6 to 8.
        algorithm: HMAC's hash (RFC 6238 section 1.2).
    """
    mac = hmac.digest(secret.reveal_bytes(), counter.to_bytes(8), algorithm)
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4]) & 0x7FFF_FFFF
    return Secret(f"{number % 10**digits:0{digits}d}")


def typed_code(typed: str) -> str | None:
    """The six digits that somebody typed, without the spaces and dashes between them; None for anything else.

    Only ASCII digits are digits here (L12).
    """
    kept = "".join(c for c in typed if not (c.isspace() or c in _BETWEEN))
    return kept if len(kept) == DIGITS and kept.isascii() and kept.isdigit() else None


def matching_step(secret: Secret, code: str, now: datetime, drift: int = 1) -> int | None:
    """The latest step near `now` that a code is right for; None when there is none.

    Every step is looked at, and in constant time, so that how long it takes says nothing.

    Args:
        code: As `typed_code` returned it.
        drift: How many steps before and after the present one are near (RFC 6238 section 5.2 recommends one at most).
    """
    present = step_at(now)
    found = None
    for step in range(present - drift, present + drift + 1):
        if hotp(secret, step).matches(code):
            found = step
    return found


def base32(secret: Secret) -> Secret:
    """The secret as people type it into an app: RFC 4648 base 32 without padding."""
    return Secret(base64.b32encode(secret.reveal_bytes()).rstrip(b"="))


def otpauth_uri(secret: Secret, issuer: str, account: str) -> Secret:
    """The URI that authenticator apps read from a QR code, with the label `issuer:account`.

    Args:
        issuer: The site's name. Its colons are left out, since a colon ends it in the label.
        account: The e-mail address, or another name.
    """
    site = " ".join(issuer.replace(":", " ").split())
    label = f"{quote(site, safe='')}:{quote(account, safe='@')}"
    asked = {
        "secret": base32(secret).reveal(),
        "issuer": site,
        "algorithm": "SHA1",
        "digits": str(DIGITS),
        "period": str(int(PERIOD.total_seconds())),
    }
    # Apps show the plus sign that stands for a space in forms: spaces are %20.
    return Secret(f"otpauth://totp/{label}?{urlencode(asked, quote_via=quote, safe='')}")
