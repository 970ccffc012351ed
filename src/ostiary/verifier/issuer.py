"""Owns where an issuer is: its name, and the two addresses that a verifier asks there."""

from dataclasses import dataclass
from urllib.parse import quote

from ostiary.protocols.service_address import read_address


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are believed.

    Attributes:
        name: Exactly the tokens' `iss`.
        keys_url: Where its published keys are.
        feed_url: Where it tells what is revoked.
    """

    name: str
    keys_url: str
    feed_url: str

    @classmethod
    def at(cls, name: str, keys_url: str | None = None, feed_url: str | None = None) -> "Issuer":
        """The issuer of this name, at the fixed paths unless told otherwise.

        Raises:
            Misuse: an address is not https (http is for a loopback address only), or has parts that it must not have.
        """
        base = name.rstrip("/")
        return cls(
            name=_checked("issuer", name),
            keys_url=_checked("keys_url", keys_url or f"{base}/oauth2/jwks"),
            feed_url=_checked("feed_url", feed_url or f"{base}/auth/revocations"),
        )

    def feed_page(self, after: str | None, wait: int) -> str:
        """The address of one poll."""
        cursor = "" if after is None else f"after={quote(after, safe='')}&"
        return f"{self.feed_url}?{cursor}wait={wait}"


def _checked(setting: str, url: str) -> str:
    read_address(setting, url)
    return url
