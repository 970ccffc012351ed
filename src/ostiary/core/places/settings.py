"""Owns what an operator says about places."""

from dataclasses import dataclass
from pathlib import Path

from ostiary.kernel.settings import setting


@dataclass(frozen=True, slots=True)
class PlaceSettings:
    """Places."""

    geoip_file: Path | None = setting(
        None,
        doc="A file in MaxMind's format that says where addresses are; without one nobody knows where anybody is.",
    )
