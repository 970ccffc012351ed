"""Owns how people call the ways in which they proved who they are."""

from collections.abc import Iterable
from typing import Final

# RFC 8176. "mfa" says nothing that the others do not.
_WORDS: Final = {
    "pwd": "password",
    "otp": "code",
    "hwk": "passkey",
    "swk": "passkey",
    "email": "mail",
    "fed": "another account",
}
_FACTORS: Final = {
    "totp": "authenticator app",
    "backup_code": "backup codes",
    "email_code": "codes by mail",
    "passkey": "passkey",
}


def methods_in_words(amr: Iterable[str]) -> str:
    """Authentication methods, as people say them: "password and code"."""
    names = dict.fromkeys(_WORDS.get(method, method) for method in amr if method != "mfa")
    return " and ".join(names) or "unknown"


def factor_in_words(name: str) -> str:
    """A kind of second factor, as people say it: "authenticator app"."""
    return _FACTORS.get(name, name)
