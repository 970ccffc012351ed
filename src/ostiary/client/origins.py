"""Owns which addresses may see a user's tokens."""

from collections.abc import Iterable
from typing import Final

from ostiary.kernel.errors import Misuse
from ostiary.protocols.service_address import read_address

_PORTS: Final = {"https": 443, "http": 80}

Origin = tuple[str, str, int]


def origin_of(scheme: str, host: str, port: int | None) -> Origin:
    """The origin of a request (RFC 6454 section 4)."""
    return scheme, host.lower(), port or _PORTS.get(scheme, 0)


def read_origins(urls: Iterable[str]) -> frozenset[Origin]:
    """The origins that an application names.

    Raises:
        Misuse: there is none, one has a path, or one is not https (http is for a loopback address only).
    """
    if isinstance(urls, str):
        raise Misuse("origins: give a list, such as ['https://api.example.com']")
    found = frozenset(_read(url) for url in urls)
    if not found:
        raise Misuse("origins: name the addresses that may see the user's token")
    return found


def _read(url: str) -> Origin:
    parts = read_address("origins", url)
    if parts.path not in ("", "/"):
        raise Misuse("origins: an origin has no path")
    return origin_of(parts.scheme, parts.hostname or "", parts.port)
