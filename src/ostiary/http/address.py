"""Owns the client's address: which of the addresses that a request names is believed.

Proxies of the operator are counted from the right (L08). Whatever does not add up falls back to the peer of the TCP
connection, the one address that nobody can forge: too few entries or a garbled one put the callers into the proxy's
bucket, which limits more, never less.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final

_LONGEST: Final = 64
# [v6%zone]:port, v4:port, or a bare address of either kind; `ip_address` judges what is inside.
_WRITTEN: Final = re.compile(
    r"[ \t]*(?:\[(?P<v6>[0-9a-f:.]*:[0-9a-f:.]*)(?:%[^\]]*)?\](?::\d{1,5})?"
    r"|(?P<v4>[0-9.]+):\d{1,5}|(?P<bare>[0-9a-f:.]+)(?:%[^\]]*)?)[ \t]*",
    re.ASCII | re.IGNORECASE,
)


@lru_cache(maxsize=2048)
def canonical_ip(words: str) -> str | None:
    """The canonical text of an address as proxies write it: bare, with port, in brackets, with a zone.

    Returns:
        None when it is no address. An IPv4-mapped IPv6 address is the IPv4 address.
    """
    match = _WRITTEN.fullmatch(words) if len(words) <= _LONGEST else None
    if match is None:
        return None
    try:
        address = ip_address(match["v6"] or match["v4"] or match["bare"])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def client_ip(peer: str | None, forwarded_for: Iterable[bytes], trusted: int) -> str:
    """The address of the client.

    Args:
        peer: The other end of the TCP connection; None on a Unix socket.
        forwarded_for: Every X-Forwarded-For header, in order.
        trusted: How many proxies in front are the operator's. Each appends the address it was called from, so the
            client is the `trusted`-th entry from the right; entries further left are whatever the client wrote.

    Returns:
        The canonical address; the peer where the header has too few entries or nonsense in that place; "" when even
        the peer is unknown.
    """
    own = "" if peer is None else canonical_ip(peer) or peer
    if trusted < 1:
        return own
    # Empty entries count: skipping them would move the place to the left, into what the client wrote.
    entries = [entry for header in forwarded_for for entry in header.split(b",")]
    if len(entries) < trusted:
        return own
    return canonical_ip(entries[-trusted].decode("latin-1")) or own


def forwarded_scheme(scheme: str, forwarded_proto: bytes | None, trusted: int) -> str:
    """The scheme by which the client came: the outermost trusted proxy's word, or the connection's own.

    Args:
        scheme: Of the connection that reached this process.
        forwarded_proto: X-Forwarded-Proto; several headers joined by commas.
        trusted: As in `client_ip`.
    """
    if trusted < 1 or forwarded_proto is None:
        return scheme
    entries = forwarded_proto.split(b",")
    # Proxies that overwrite leave fewer entries than there are proxies; then the first one is still theirs.
    chosen = entries[-min(trusted, len(entries))].strip().lower()
    return "https" if chosen == b"https" else "http"
