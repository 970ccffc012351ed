"""Owns reading one file in MaxMind's format: opening it, judging that it is one, and what it says of an address.

The file is mapped into memory, not loaded: processes share its pages, and whoever forks or uses threads needs nothing
more. So it is replaced by renaming a new one over it; one that is cut short in place would end the process.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from ipaddress import IPv6Address, ip_address
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

_SAMPLED: Final = 256
_REMEMBERED: Final = 4096
_LONGEST_NAME: Final = 100
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address is, as well as a file knows.

    Attributes:
        country: ISO 3166-1 alpha-2, such as "NO"; "" when the file does not say.
        latitude: In degrees, north positive; None when the file does not say, and then so is the longitude.
        longitude: In degrees, east positive.
        accuracy_km: The radius around that point in which the address is probably found.
        city: Its name in English; "" when the file does not say.
    """

    country: str
    latitude: float | None = None
    longitude: float | None = None
    accuracy_km: int | None = None
    city: str = ""


class NoAtlas(Exception):
    """A file cannot be used; the message says why, and names the file."""


class _Reader(Protocol):
    def get(self, ip_address: str) -> Any: ...


class Atlas:
    """One file, opened.

    Args:
        reader: Of `maxminddb`; it may be asked by several threads at once.
    """

    def __init__(self, reader: _Reader) -> None:
        # Reading a record costs ten times more than remembering it. Nothing in here names the atlas itself, so that
        # the file is closed as soon as another one is in use.
        self._of = lru_cache(maxsize=_REMEMBERED)(partial(_look_up, reader))

    @classmethod
    def open(cls, path: Path) -> "Atlas":
        """Open a file and look at some of it; blocks.

        Raises:
            NoAtlas: it is missing, unreadable, broken, or about something else than places.
        """
        # Forty milliseconds that only those spend who have such a file.
        import maxminddb

        try:
            with path.open("rb"):  # says more plainly why not than the reader does
                pass
            reader = maxminddb.open_database(path, maxminddb.MODE_AUTO)
            sample = [record for _, record in islice(reader, _SAMPLED)]
        except OSError as error:
            raise NoAtlas(f"cannot read {path}: {error.strerror}") from None
        except (maxminddb.InvalidDatabaseError, ValueError):
            raise NoAtlas(f"{path} is no file in MaxMind's format, or a broken one") from None
        if not any(read_place(record) for record in sample):
            raise NoAtlas(f"{path} says nothing about countries")
        return cls(reader)

    def of(self, ip: str) -> Place | None:
        """Where an address is; None when the file does not know, or is broken where it was looked at.

        Args:
            ip: The text of an address; an IPv4 address inside of IPv6 is the IPv4 address.
        """
        return self._of(ip)


def _look_up(reader: _Reader, ip: str) -> Place | None:
    try:
        address = ip_address(ip.partition("%")[0])
        inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return read_place(reader.get(str(inner or address)))
    except (ValueError, RuntimeError):
        # No address; IPv6 in a file about IPv4; or `InvalidDatabaseError`, which is a RuntimeError.
        return None


def read_place(record: object) -> Place | None:
    """Read a record of a file about cities or about countries; None when it names neither country nor point.

    `registered_country` is not read: it says where a network's owner is at home, not where the network is.
    """
    if not isinstance(record, Mapping):
        return None
    code = _within(record, "country").get("iso_code")
    country = code if isinstance(code, str) and _COUNTRY.fullmatch(code) else ""
    location = _within(record, "location")
    latitude, longitude = _degrees(location.get("latitude"), 90), _degrees(location.get("longitude"), 180)
    if latitude is None or longitude is None:
        return Place(country, city=_city(record)) if country else None
    radius = location.get("accuracy_radius")
    return Place(country, latitude, longitude, radius if isinstance(radius, int) else None, _city(record))


def _within(record: Mapping[Any, Any], name: str) -> Mapping[Any, Any]:
    found = record.get(name)
    return found if isinstance(found, Mapping) else {}


def _degrees(value: object, most: int) -> float | None:
    return float(value) if isinstance(value, int | float) and -most <= value <= most else None


def _city(record: Mapping[Any, Any]) -> str:
    name = _within(_within(record, "city"), "names").get("en")
    # It goes into mails and onto pages: one line, bounded, whatever stands in the file.
    return "".join(c for c in name if c.isprintable())[:_LONGEST_NAME] if isinstance(name, str) else ""
