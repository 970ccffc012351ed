"""Owns the reading of URLs that are to be called. Pure, and stricter than any browser.

There is one reader, and what it read is what is connected to and sent: no second parser that could see another host.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from ostiary.core.outgoing.failure import Failure, OutOfReach
from ostiary.core.outgoing.reach import Address, Reach

_DEFAULT_PORT: Final = {"https": 443, "http": 80}
_LONGEST: Final = 2048
_LONGEST_HOST: Final = 253
# Host and port hold nothing that could be user info; the rest is visible ASCII without a fragment or a backslash.
_URL: Final = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[0-9a-z.-]+)(?::([1-9][0-9]{0,4}))?([/?][!-\"$-\[\]-~]*)?",
    re.ASCII | re.IGNORECASE,
)
_LABEL: Final = re.compile(r"[0-9a-z](?:[0-9a-z-]{0,61}[0-9a-z])?", re.ASCII)
# What resolvers take for a number: decimal, octal or hexadecimal.
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was read.

    Attributes:
        scheme: "https" or "http".
        host: A name in lower case, or an address; IPv6 without brackets.
        port: As given, or the scheme's.
        path: Path and query, as they are sent; they may be secret.
        address: The host, when it is an address.
    """

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None

    @property
    def authority(self) -> str:
        """The Host header (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == _DEFAULT_PORT[self.scheme] else f"{host}:{self.port}"

    def __repr__(self) -> str:
        return f"Target({self.scheme}://{self.authority})"


def read_target(url: str, reach: Reach) -> Target:
    """Read a URL and refuse what needs no look-up to be refused.

    Raises:
        OutOfReach: it is malformed, not https, has a port that may not be called, or an address that may not.
    """
    match = _URL.fullmatch(url) if len(url) <= _LONGEST else None
    if match is None:
        raise OutOfReach(Failure.URL, "the URL is not absolute, https and free of user info and fragment")
    scheme, host, port = match[1].lower(), match[2].lower(), match[3]
    address = _address(host)
    rest = match[4] or "/"
    target = Target(
        scheme,
        host if address is None else str(address),
        int(port or _DEFAULT_PORT[scheme]),
        rest if rest.startswith("/") else f"/{rest}",
        address,
    )
    if target.port > 65535:
        raise OutOfReach(Failure.URL, "the port is out of range")
    if address is not None:
        judge(target, address, reach)
    elif not reach.loopback:
        _judge_door(target, reach)
    return target


def judge(target: Target, address: Address, reach: Reach) -> None:
    """Refuse an address that the target leads to, unless it may be called.

    Raises:
        OutOfReach: it may not.
    """
    if why := reach.why_not(address):
        raise OutOfReach(Failure.ADDRESS, f"the address is out of reach: {why}", target.host)
    if not reach.is_own(address):
        _judge_door(target, reach)


def _judge_door(target: Target, reach: Reach) -> None:
    if target.scheme != "https":
        raise OutOfReach(Failure.URL, "it is not https", target.host)
    if target.port not in reach.ports:
        raise OutOfReach(Failure.PORT, f"port {target.port} is not in outgoing_ports", target.host)


def _address(host: str) -> Address | None:
    """The address that a host is; None when it is a name.

    Raises:
        OutOfReach: it is neither, or an address in a form that only some readers take for one.
    """
    try:
        if host.startswith("["):
            return IPv6Address(host[1:-1])
        labels = host.split(".")
        if _NUMBER.fullmatch(labels[-1]):
            return IPv4Address(host)  # four decimal numbers without leading zeros, and nothing else
    except ValueError:
        raise OutOfReach(Failure.URL, "the host looks like an address but is none") from None
    if len(host) > _LONGEST_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise OutOfReach(Failure.URL, "the host is not a name in ASCII without a dot at its end")
    return None
