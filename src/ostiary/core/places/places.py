"""Owns `Places`: the answer where an address is, and which file gives it."""

from pathlib import Path
from typing import Final

from ostiary.core.places.atlas import Atlas, NoAtlas, Place
from ostiary.core.places.settings import PlaceSettings
from ostiary.kernel.errors import Misuse
from ostiary.kernel.events import EventType, Severity

FILE_REFUSED: Final = EventType(
    "geoip_file_refused",
    "The file of places was replaced by one that cannot be used; the one before stays in use.",
    severity=Severity.WARNING,
    fields=("why",),
)
EVENTS: Final = (FILE_REFUSED,)

_MEND: Final = (
    "give a City or Country database in MaxMind's format (.mmdb, unpacked), such as GeoLite2 or DB-IP Lite, "
    "or leave geoip_file out"
)

# Which file it is: a new one that is renamed over it differs in one of these.
_Mark = tuple[int, int, int, int]


class Places:
    """Says where an address is.

    Args:
        settings: Which file knows; without one nobody does.
    """

    def __init__(self, settings: PlaceSettings) -> None:
        self._path = settings.geoip_file
        self._atlas: Atlas | None = None
        self._mark: _Mark | None = None

    @property
    def is_on(self) -> bool:
        """Whether there is a file to look into."""
        return self._path is not None

    def open(self) -> None:
        """Open the file at start; blocks.

        Raises:
            Misuse: it cannot be used; the message says how to mend it.
        """
        if self._path is None:
            return
        try:
            self._take(self._path)
        except NoAtlas as error:
            raise Misuse(f"geoip_file: {error}; {_MEND}") from None

    def of(self, ip: str) -> Place | None:
        """Where an address is; ten microseconds at most, in any thread.

        Args:
            ip: As in `Origin.ip`; an IPv4 address inside of IPv6 is the IPv4 address.

        Returns:
            None when nobody knows: there is no file, the file says nothing of the address (it says nothing of
            private ones), or it is no address.
        """
        atlas = self._atlas
        return None if atlas is None else atlas.of(ip)

    def renew(self) -> str:
        """Take the file that was renamed over the one in use, if there is one; blocks.

        Returns:
            "" or why the new one cannot be used; said once for each. The one before stays in use.
        """
        path = self._path
        if path is None or _mark_of(path) == self._mark:
            return ""
        try:
            self._take(path)
        except NoAtlas as error:
            return str(error)
        return ""

    def _take(self, path: Path) -> None:
        # The mark first: a file that is replaced while it is read is looked at again. The old one is closed when the
        # last thread that reads it lets go of it.
        self._mark = _mark_of(path)
        self._atlas = Atlas.open(path)


def _mark_of(path: Path) -> _Mark | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
