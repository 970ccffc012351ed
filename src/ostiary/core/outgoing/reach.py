"""Owns the judgement which addresses may be called. Pure: an address in, a reason out.

IPv4 is refused by list, IPv6 by default: only global unicast (2000::/3) is open, less what is carved out of it. The
lists follow the special-purpose registries of IANA (RFC 6890) and add what clouds use for themselves. `is_global` of
the standard library is not asked: its answers differ between releases of Python.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# No server has such an address, and some systems take the first of them for this machine: no setting opens them.
_NEVER: Final[tuple[tuple[Network, str], ...]] = tuple(
    (ip_network(network), why)
    for network, why in (
        ("0.0.0.0/8", "unspecified"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),  # and broadcast
        ("::/128", "unspecified"),
        ("ff00::/8", "multicast"),
    )
)
_CLOSED: Final[tuple[tuple[Network, str], ...]] = tuple(
    (ip_network(network), why)
    for network, why in (
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a carrier (CGNAT)"),
        ("127.0.0.0/8", "loopback"),
        (
            "168.63.129.16/32",
            "a cloud's own service",
        ),  # Azure's, on every machine, although the range is public
        ("169.254.0.0/16", "link-local"),  # and most clouds' metadata service
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "reserved for protocols"),
        ("192.52.193.0/24", "reserved for protocols"),
        ("192.88.99.0/24", "a relay of 6to4"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "reserved for protocols"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "an IPv4 address inside IPv6"),
        ("64:ff9b::/96", "an IPv4 address inside IPv6 (NAT64)"),
        ("64:ff9b:1::/48", "an IPv4 address inside IPv6 (NAT64)"),
        ("2001::/32", "an IPv4 address inside IPv6 (Teredo)"),
        ("2001::/23", "reserved for protocols"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "an IPv4 address inside IPv6 (6to4)"),
        ("2620:4f:8000::/48", "reserved for protocols"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
    )
)
_OPEN6: Final = IPv6Network("2000::/3")
_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be called.

    Attributes:
        allow: Networks of the operator's own that may be called although they are not public.
        ports: Ports that may be called.
        loopback: This machine may be called, by plain http, too, and on any port: development only.
    """

    allow: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset({443})
    loopback: bool = False

    def is_own(self, address: Address) -> bool:
        """Whether it is this machine, and this is development."""
        return self.loopback and address.is_loopback

    def why_not(self, address: Address) -> str:
        """Why an address may not be called; "" when it may."""
        if why := _why(address, _NEVER):
            return why
        if self.is_own(address):
            return ""
        if not any(address in network for network in self.allow):
            is_other = isinstance(address, IPv6Address) and address not in _OPEN6
            return _why(address, _CLOSED) or ("not a public address" if is_other else "")
        # Who allows a translating network has not allowed what it translates to.
        return next((why for inner in _inside(address) if (why := self.why_not(inner))), "")


def _why(address: Address, table: tuple[tuple[Network, str], ...]) -> str:
    return next((why for network, why in table if address in network), "")


def _inside(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address carries."""
    if isinstance(address, IPv4Address):
        return ()
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _NAT64):
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))  # RFC 6052 section 2.2, for prefixes of 96 bits
    return tuple(inner for inner in found if inner is not None)
