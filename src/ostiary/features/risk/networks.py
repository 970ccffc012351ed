"""Owns the operator's list of networks to be wary of: a file, read at start and again when it is replaced."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from ostiary.core.networks.rules import Listing, Network, read_address, read_rule
from ostiary.kernel.errors import Misuse
from ostiary.kernel.world import World, span_micros

_log: Final = logging.getLogger("ostiary.risk")
_EVERY: Final = timedelta(minutes=1)
_LARGEST: Final = 16_777_216

# Which file it is: a new one that is renamed over it, or one written in place, differs in one of these.
_Mark = tuple[int, int, int, int]


class _NoList(Exception):
    """It is no list; the message says where."""


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
        self._listing = Listing()
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
        if self._listing.is_empty:  # as usual; reading an address costs more than all the rest
            return False
        address = read_address(ip)
        return address is not None and bool(self._listing.find(address, country=""))

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
        self._listing = Listing.holding(list(_networks(path, raw)))


def _networks(path: Path, raw: bytes) -> Iterator[Network]:
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), 1):
        words = line.partition("#")[0].strip()
        if not words:
            continue
        try:
            network = read_rule(words)
        except ValueError as error:
            raise _NoList(f"{path}, line {number}: {error}") from None
        if isinstance(network, str):
            raise _NoList(f"{path}, line {number}: {words} is a country, and only networks stand here")
        yield network
