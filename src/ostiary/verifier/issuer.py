"""Owns where an issuer is: its name, and the two addresses that a verifier asks there."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from ostiary.kernel.errors import Misuse


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


def _checked(what: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Misuse(f"{what}: this is no address") from None
    if not url.isascii() or not url.isprintable() or " " in url or not host:
        raise Misuse(f"{what}: give an absolute address such as https://id.example.com")
    if parts.query or parts.fragment or parts.username is not None or parts.password is not None:
        raise Misuse(
            f"{what}: an address with query, fragment or user is none of an issuer (RFC 8414 section 2)"
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise Misuse(f"{what}: must begin with https://; http:// is for a loopback address only")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
