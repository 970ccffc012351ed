"""Owns `Origin`: where a request came from, as far as it is known and trusted."""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_IPV6_NETWORK = 64
_USER_AGENT_LIMIT = 400
_LANGUAGES_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of a rate limit, for the `RateLimit` headers.

    Attributes:
        policy: The limit's name.
        limit: How many the window allows.
        window: Its length.
        remaining: How many are left now.
        reset: After this time the oldest ones no longer count.
    """

    policy: str
    limit: int
    window: timedelta
    remaining: int
    reset: timedelta


@dataclass(frozen=True, slots=True)
class Origin:
    """Who is asking, before anybody has signed in.

    Attributes:
        ip: The client's address after counting trusted proxies; "" when there is none (a CLI call).
        user_agent: As sent, cut to 400 printable characters.
        request_id: Names the request in logs and problem documents.
        languages: The Accept-Language header as sent, cut to 200 printable characters.
        quotas: Filled by the throttle while the request runs; never says anything about an account that is only named.
    """

    ip: str = ""
    user_agent: str = ""
    request_id: str = ""
    languages: str = ""
    quotas: list[Quota] = field(default_factory=list, compare=False)

    @property
    def network(self) -> str:
        """What rate limits count: the IPv4 address, or the IPv6 /64, since a client owns all of a /64 (L08)."""
        return network_of(self.ip)


@lru_cache(maxsize=4096)
def network_of(ip: str) -> str:
    """The canonical text of the network that a client address belongs to; the text itself when it is no address."""
    try:
        address: IPv4Address | IPv6Address = ip_address(ip)
    except ValueError:
        return ip
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((int(address), _IPV6_NETWORK), strict=False))
    return str(address)


def clean_user_agent(raw: str) -> str:
    """A user agent safe to store and log: printable, one line, bounded (S-P3)."""
    return _printable(raw[:_USER_AGENT_LIMIT])


def clean_languages(raw: str) -> str:
    """Language wishes safe to keep for a while: printable, one line, bounded."""
    return _printable(raw[:_LANGUAGES_LIMIT])


def _printable(words: str) -> str:
    return "".join(c if c.isprintable() else " " for c in words).strip()
