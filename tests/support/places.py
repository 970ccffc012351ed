"""Owns writing files of places, as an operator gets them from a vendor."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

# Country, latitude, longitude, city; or a whole record.
Entry = tuple[str, float, float, str] | Mapping[str, Any]

OSLO = ("NO", 59.91, 10.75, "Oslo")
BERLIN = ("DE", 52.52, 13.41, "Berlin")
SYDNEY = ("AU", -33.87, 151.21, "Sydney")


def atlas(
    path: Path, entries: Mapping[str, Entry], *, kind: str = "GeoLite2-City", ip_version: int = 6
) -> Path:
    """Write a file in MaxMind's format, beside the path, and rename it over what is there.

    Args:
        path: Where it goes.
        entries: What is known of which network, such as ``{"203.0.113.0/24": OSLO}``.
        kind: The file's own name of its kind.
        ip_version: 4 for a file that knows no IPv6.
    """
    writer = MMDBWriter(ip_version, kind, languages=["en"], ipv4_compatible=ip_version == 6)
    for network, entry in entries.items():
        writer.insert_network(IPSet([network]), record(entry))
    draft = path.with_name(f"{path.name}.new")
    writer.to_db_file(str(draft))
    draft.rename(path)
    return path


def record(entry: Entry) -> dict[str, Any]:
    """The record of an entry, in the form of files about cities."""
    if isinstance(entry, Mapping):
        return dict(entry)
    country, latitude, longitude, city = entry
    return {
        "city": {"names": {"en": city}},
        "country": {"iso_code": country},
        "location": {"latitude": latitude, "longitude": longitude, "accuracy_radius": 20},
    }
