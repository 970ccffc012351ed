"""Owns what a new API key shall be, and the judgement of it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Network, ip_network
from typing import Any, Final

from ostiary.core.access.permission import is_pattern
from ostiary.core.accounts.line import read_line
from ostiary.kernel.errors import INVALID_REQUEST, Refused

LONGEST_NAME: Final = 60
MOST_SCOPES: Final = 50
LONGEST_SCOPE: Final = 140
MOST_NETWORKS: Final = 20
LONGEST_NETWORK: Final = 64
_IPV4_MAPPED: Final = IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a new key shall be.

    Attributes:
        scopes: Patterns of permissions; without any the key can only say whose it is.
        networks: From where it may be used, as CIDR or single addresses; empty for everywhere.
        expires_at: When it ends; None for as late as the settings allow.
    """

    name: str
    scopes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    expires_at: datetime | None = None


def judge(wish: Wish, longest: timedelta, now: datetime) -> Wish:
    """The wish in the form in which it is stored. Pure.

    Args:
        longest: How long a key may be good; zero for without end.

    Raises:
        Refused: `invalid_request`, with every mistake and its place.
    """
    mistakes: list[dict[str, Any]] = []
    name, scopes, networks = "", tuple(sorted(set(wish.scopes))), []
    try:
        name = read_line(wish.name, LONGEST_NAME)
        if not name:
            mistakes.append(_mistake("name", "Give the key a name."))
    except ValueError as error:
        mistakes.append(_mistake("name", str(error)))
    if len(scopes) > MOST_SCOPES or not all(map(is_pattern, scopes)):
        mistakes.append(
            _mistake("scopes", f"Write permissions such as notes:read or notes:*, at most {MOST_SCOPES}.")
        )
    try:
        networks = list(dict.fromkeys(read_network(words) for words in wish.networks))
    except ValueError:
        mistakes.append(_mistake("networks", "Write addresses, or networks such as 203.0.113.0/24."))
    if len(networks) > MOST_NETWORKS:
        mistakes.append(_mistake("networks", f"Give at most {MOST_NETWORKS} networks."))
    latest = now + longest if longest else None
    ends = wish.expires_at or latest
    if ends is not None and ends <= now:
        mistakes.append(_mistake("expires_at", "Give a moment that is to come."))
    if ends is not None and latest is not None and ends > latest:
        mistakes.append(_mistake("expires_at", f"A key is good for at most {longest.days} days."))
    if mistakes:
        raise Refused(INVALID_REQUEST, "a key's wish", details={"errors": mistakes}, counted=False)
    return Wish(name, scopes, tuple(networks), ends)


def read_network(words: str) -> str:
    """A network, or one address, in the form that addresses are compared with; IPv4-mapped ones become IPv4.

    Raises:
        ValueError: it is none, or has bits beyond its length.
    """
    network = ip_network(words.strip()[: LONGEST_NETWORK + 1])
    if isinstance(network, IPv6Network):
        if network.network_address.scope_id is not None:
            raise ValueError("a zone means nothing elsewhere")
        if network.subnet_of(_IPV4_MAPPED):
            return str(ip_network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96)))
    return str(network)


def _mistake(field: str, message: str) -> dict[str, Any]:
    return {"loc": [field], "message": message, "type": field}
