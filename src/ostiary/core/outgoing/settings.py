"""Owns what an operator says about calling out."""

from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

from ostiary.core.outgoing.reach import Network, Reach
from ostiary.kernel.settings import setting

# As wide as the widest private networks are (RFC 1918, RFC 4193); anything wider would be most of the internet.
_WIDEST: Final = {4: 8, 6: 7}


@dataclass(frozen=True, slots=True)
class OutgoingSettings:
    """Calling other servers."""

    outgoing_allow: tuple[str, ...] = setting(
        (), doc='Internal networks that may be called although they are not public, such as "10.1.2.0/24".'
    )
    outgoing_ports: tuple[int, ...] = setting((443,), doc="Ports of other servers that may be called.")

    def __post_init__(self) -> None:
        for words in self.outgoing_allow:
            try:
                network = ip_network(words)
            except ValueError:
                raise ValueError(
                    'outgoing_allow: each is a network or an address, such as "10.1.2.0/24"; names are not accepted'
                ) from None
            if network.prefixlen < _WIDEST[network.version]:
                raise ValueError("outgoing_allow: no network wider than /8 (IPv4) or /7 (IPv6)")
        if not self.outgoing_ports or not all(0 < port < 65536 for port in self.outgoing_ports):
            raise ValueError("outgoing_ports: each is 1 to 65535, and one at least is needed")

    def reach(self, *, dev: bool) -> Reach:
        """What may be called.

        Args:
            dev: In development this machine may be called as well, by plain http, too, and on any port.
        """
        allow: tuple[Network, ...] = tuple(ip_network(words) for words in self.outgoing_allow)
        return Reach(allow, frozenset(self.outgoing_ports), loopback=dev)
