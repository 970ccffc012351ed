"""Owns network rules: reading them, and judging an address and its country by them. Pure.

In this order:

1. No rule: allowed.
2. An address that nobody can read: denied.
3. A network or country of `deny`: denied.
4. No `allow`: allowed.
5. A network or country of `allow`: allowed.
6. Otherwise denied; so is an address whose country nobody knows where only its country could allow it.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from ostiary.core.networks.countries import CODES, MEANT

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_COUNTRY: Final = re.compile(r"[A-Za-z]{2}", re.ASCII)
_MAPPED: Final = IPv6Network("::ffff:0:0/96")


class Why(StrEnum):
    """Why somebody is turned away."""

    NO_ADDRESS = "no_address"
    DENIED = "denied"
    NOT_LISTED = "not_listed"
    COUNTRY_UNKNOWN = "country_unknown"


@dataclass(frozen=True, slots=True)
class Allowed:
    """Let through.

    Attributes:
        rule: By which rule, as written; "" when there is none that would have to.
    """

    rule: str = ""


@dataclass(frozen=True, slots=True)
class Denied:
    """Turned away.

    Attributes:
        rule: By which rule, as written; "" when it is for want of one.
    """

    why: Why
    rule: str = ""


@dataclass(frozen=True, slots=True)
class _Ranges:
    """Networks of one version, none within another, by their first addresses."""

    first: Sequence[int]
    last: Sequence[int]
    written: Sequence[str]

    @classmethod
    def of(cls, networks: Iterable[Network]) -> "_Ranges":
        first: list[int] = []
        last: list[int] = []
        written: list[str] = []
        for network in sorted(networks, key=lambda one: (int(one.network_address), one.prefixlen)):
            begin, end = int(network.network_address), int(network.broadcast_address)
            # Two networks are apart, or one is within the other; then the wider one has come before.
            if not last or begin > last[-1]:
                first.append(begin)
                last.append(end)
                written.append(str(network))
        return cls(first, last, written)

    def find(self, number: int) -> str:
        at = bisect_right(self.first, number) - 1
        return self.written[at] if at >= 0 and number <= self.last[at] else ""


@dataclass(frozen=True, slots=True)
class Listing:
    """Networks and countries, looked up in logarithmic time however many they are.

    Attributes:
        countries: ISO 3166-1 alpha-2.
    """

    countries: frozenset[str] = frozenset()
    is_empty: bool = True
    _ranges: dict[int, _Ranges] = field(default_factory=dict)

    @classmethod
    def of(cls, words: Iterable[str]) -> "Listing":
        """Read rules.

        Raises:
            ValueError: one of them is none; the message says how to write it.
        """
        return cls.holding([read_rule(one) for one in words])

    @classmethod
    def holding(cls, rules: Sequence[Network | str]) -> "Listing":
        """What `read_rule` has read."""
        networks = [one for one in rules if not isinstance(one, str)]
        return cls(
            frozenset(one for one in rules if isinstance(one, str)),
            not rules,
            {version: _Ranges.of(one for one in networks if one.version == version) for version in (4, 6)},
        )

    def find(self, address: Address, country: str) -> str:
        """The rule that names an address or its country; "" when none does."""
        ranges = self._ranges.get(address.version)
        named = ranges.find(int(address)) if ranges is not None else ""
        return named or (country if country in self.countries else "")


@dataclass(frozen=True, slots=True)
class Rules:
    """What one group of people may come from."""

    allow: Listing = field(default_factory=Listing)
    deny: Listing = field(default_factory=Listing)

    @property
    def is_empty(self) -> bool:
        """Whether they concern nobody."""
        return self.allow.is_empty and self.deny.is_empty

    @property
    def minds_countries(self) -> bool:
        """Whether they can only be judged by who knows where addresses are."""
        return bool(self.allow.countries or self.deny.countries)


def judge(rules: Rules, address: Address | None, country: str) -> Allowed | Denied:
    """Whether somebody may come from an address.

    Args:
        address: None when there is none, or none that can be read.
        country: Where it is, ISO 3166-1 alpha-2; "" when nobody knows.
    """
    if rules.is_empty:
        return Allowed()
    if address is None:
        return Denied(Why.NO_ADDRESS)
    if rule := rules.deny.find(address, country):
        return Denied(Why.DENIED, rule)
    if rules.allow.is_empty:
        return Allowed()
    if rule := rules.allow.find(address, country):
        return Allowed(rule)
    return Denied(Why.COUNTRY_UNKNOWN if rules.allow.countries and not country else Why.NOT_LISTED)


def read_address(words: str) -> Address | None:
    """A client's address; an IPv4 address inside of IPv6 is the IPv4 address. None when it is none."""
    try:
        address = ip_address(words.partition("%")[0])
    except ValueError:
        return None
    inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return inner or address


def read_rule(words: str) -> Network | str:
    """A network, or the code of a country.

    Raises:
        ValueError: it is neither; the message says how to write it.
    """
    if _COUNTRY.fullmatch(words):
        return _country(words)
    try:
        network = ip_network(words)
    except ValueError:
        raise ValueError(_mended(words)) from None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        inner = ip_network((int(network.network_address) & 0xFFFF_FFFF, network.prefixlen - 96))
        raise ValueError(
            f'"{words}" is IPv4 inside of IPv6, and clients are known by the inner one; write "{inner}"'
        )
    return network


def _country(words: str) -> str:
    code = words.upper()
    if code in MEANT:
        raise ValueError(f'"{words}" is no code of a country (ISO 3166-1); write "{MEANT[code]}"')
    if code not in CODES:
        raise ValueError(f'"{words}" is no code of a country (ISO 3166-1), such as "NO"')
    if code != words:
        raise ValueError(f'codes of countries are written in capitals; write "{code}"')
    return code


def _mended(words: str) -> str:
    try:
        meant = ip_network(words, strict=False)
    except ValueError:
        return (
            'each is a network or an address, such as "10.0.0.0/8" or "2001:db8::/32", '
            'or the code of a country, such as "NO"; names of hosts are not accepted'
        )
    return f'"{words}" is an address within a network; write "{meant}", or the address alone'
