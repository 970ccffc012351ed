"""Owns which addresses a program may send tokens to, or fetch keys from: https, or this machine itself."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from ostiary.kernel.errors import Misuse


def read_address(setting: str, url: str) -> SplitResult:
    """Take apart the address of an issuer or a service, as an operator gives it.

    Args:
        setting: What it is for; stands in the message.
        url: Absolute.

    Raises:
        Misuse: it is no such address, not https (http is for a loopback address only), or has a query, a fragment or a
            user (RFC 8414 section 2).
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Misuse(f"{setting}: this is no address") from None
    if not url.isascii() or not url.isprintable() or " " in url or not host:
        raise Misuse(f"{setting}: give an absolute address such as https://id.example.com")
    if parts.query or parts.fragment or parts.username is not None or parts.password is not None:
        raise Misuse(f"{setting}: an address here has no query, no fragment and no user")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise Misuse(f"{setting}: must begin with https://; http:// is for a loopback address only")
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
