"""Owns the settings of tokens, and the ways in which a session can be delivered."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from ostiary.kernel.settings import setting

Delivery = Literal["cookie", "tokens", "token_cookies"]
COOKIE: Final = "cookie"
TOKENS: Final = "tokens"
COOKIE_PAIR: Final = "token_cookies"

LONGEST_ACCESS: Final = timedelta(hours=1)
LONGEST_REFRESH: Final = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """Tokens."""

    access_lifetime: timedelta = setting(
        timedelta(minutes=15), doc="How long an access token is good; at most 1h."
    )
    access_audience: str = setting("", doc="For whom access tokens are (`aud`). Unless given the base URL.")
    access_roles: bool = setting(True, doc="Whether access tokens name the account's roles.")
    first_party_client: str = setting(
        "ostiary", doc="The `client_id` in tokens that people get by signing in here themselves."
    )
    refresh_idle: timedelta = setting(
        timedelta(days=7), doc="A refresh token that is not used for this long is worth nothing."
    )
    refresh_lifetime: timedelta = setting(
        timedelta(days=30), doc="A session delivered as tokens ends after this long, whatever happens."
    )
    refresh_grace: timedelta = setting(
        timedelta(seconds=10),
        doc="Within this time a refresh token that was just exchanged gives the same successor again; at most 60s.",
    )

    def __post_init__(self) -> None:
        if not timedelta(seconds=30) <= self.access_lifetime <= LONGEST_ACCESS:
            raise ValueError("access_lifetime: must be 30s to 1h")
        if not self.first_party_client or not self.first_party_client.isascii():
            raise ValueError("first_party_client: must be ASCII text")
        if not self.access_lifetime < self.refresh_idle <= self.refresh_lifetime <= LONGEST_REFRESH:
            raise ValueError(
                "refresh_idle: must be longer than access_lifetime, at most refresh_lifetime, and that at most 400d"
            )
        if not timedelta() <= self.refresh_grace <= timedelta(minutes=1):
            raise ValueError("refresh_grace: must be 0s to 60s")
