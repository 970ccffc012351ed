"""Owns the operator's list of networks to be wary of: a file, read at start and again when it is replaced."""

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Iterable
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final

from ostiary.kernel.errors import Misuse
from ostiary.kernel.world import World, span_micros

_log: Final = logging.getLogger("ostiary.risk")
_EVERY: Final = timedelta(minutes=1)
_LARGEST: Final = 16_777_216
_IPV4_IN_IPV6: Final = 0xFFFF << 32

# Which file it is: a new one that is renamed over it, or one written in place, differs in one of these.
_Mark = tuple[int, int, int, int]


class _NoList(Exception):
    """It is no list; the message says where."""


class Networks:
    """Any number of networks; whether an address is in one of them costs one binary search.

    Args:
        words: In CIDR, IPv4 and IPv6.

    Raises:
        ValueError: one of them is no network.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        # IPv4 lies inside IPv6, where an address that came through an IPv6 socket has it as well.
        spans = sorted(_span(one) for one in words)
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in spans:
            if self._ends and start <= self._ends[-1] + 1:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    def __contains__(self, ip: str) -> bool:
        try:
            number = _number(ip_address(ip))
        except ValueError:
            return False
        at = bisect_right(self._starts, number) - 1
        return at >= 0 and number <= self._ends[at]


def _number(address: IPv4Address | IPv6Address) -> int:
    return int(address) if isinstance(address, IPv6Address) else _IPV4_IN_IPV6 | int(address)


def _span(words: str) -> tuple[int, int]:
    network = ip_network(words)
    if not isinstance(network, IPv6Network):
        return _number(network.network_address), _number(network.broadcast_address)
    return int(network.network_address), int(network.broadcast_address)


class ListedNetworks:
    """What the file lists now.

    Args:
        world: The clock.
        path: The file; None lists nothing.

    Raises:
        Misuse: the file cannot be used; the message says how to mend it.
    """

    def __init__(self, world: World, path: Path | None) -> None:
        self._world = world
        self._path = path
        self._networks = Networks()
        self._mark: _Mark | None = None
        self._due = 0
        if path is not None:
            try:
                self._take(path)
            except _NoList as error:
                raise Misuse(
                    f"risk_networks_file: {error}; give a text file with one network a line, such as "
                    "203.0.113.0/24, and comments after #"
                ) from None

    def __contains__(self, ip: str) -> bool:
        return ip in self._networks

    async def refresh(self) -> None:
        """Look once a minute whether the file was replaced. One that cannot be used is logged, and changes nothing."""
        now = self._world.micros()
        if self._path is None or now < self._due:
            return
        self._due = now + span_micros(_EVERY)
        try:
            await asyncio.to_thread(self._take, self._path)
        except _NoList as error:
            _log.warning("risk_networks_file: %s; the list of before stays in use", error)

    def _take(self, path: Path) -> None:
        try:
            found = path.stat()
            mark = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
            if mark == self._mark:
                return
            self._mark = mark  # first: of one that cannot be used is told once
            with path.open("rb") as file:
                raw = file.read(_LARGEST + 1)
        except OSError as error:
            raise _NoList(f"cannot read {path}: {error.strerror}") from None
        if len(raw) > _LARGEST:
            raise _NoList(f"{path} is larger than {_LARGEST} bytes")
        self._networks = Networks(_lines(path, raw))


def _lines(path: Path, raw: bytes) -> Iterable[str]:
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), 1):
        words = line.partition("#")[0].strip()
        if not words:
            continue
        try:
            ip_network(words)
        except ValueError as error:
            raise _NoList(f"{path}, line {number}: {error}") from None
        yield words
