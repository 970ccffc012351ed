"""Owns `Principal`: on whose behalf something happens, and how sure we are of it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts.

    Attributes:
        account_id: The account.
        session_id: The session through which it acts, if there is one.
        amr: How it was proven, in order (RFC 8176).
        acr: The authentication context class: "1" one factor, "2" two factors.
        authenticated_at: When the last proof was given (`auth_time`); of an API key when it was made.
        api_key_id: The API key through which it acts, if there is one. It is no session, and never fresh.
        scopes: Patterns of permissions that a narrower credential reaches; None for one that reaches as far as its
            owner.
    """

    account_id: str
    session_id: str | None
    amr: tuple[str, ...]
    acr: str
    authenticated_at: datetime
    api_key_id: str | None = None
    scopes: tuple[str, ...] | None = None
