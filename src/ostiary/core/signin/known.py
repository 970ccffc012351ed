"""Owns the known-browser cookie (E2): a sealed note that somebody signed in to an account from this browser.

It is no credential and proves nothing. It only keeps strangers from locking an owner out: tries from a known browser
have a counter of their own, and a stricter one. A raised security epoch (a reset) makes the note worthless.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import orjson

from ostiary.core.keys.ring import Keyring, purpose
from ostiary.core.throttle.limits import Hit, Lockout
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World, from_micros

KNOWN_LOCKOUT: Final = Lockout("known-browser", is_strict=True)
LIFETIME: Final = timedelta(days=180)
KNOWN: Final = purpose(
    "known_browser", "Seals the note that a browser has signed in to an account before.", kept_for=LIFETIME
)
_MOST_ACCOUNTS: Final = 5  # a family's tablet


@dataclass(frozen=True, slots=True)
class _Note:
    account_id: str
    security_epoch: int
    at: int


class KnownBrowsers:
    """Writes and reads the notes.

    Args:
        world: Clock and ids.
        ring: Seals.
    """

    def __init__(self, world: World, ring: Keyring) -> None:
        self._world = world
        self._ring = ring

    def remember(self, presented: str | None, account_id: str, security_epoch: int) -> Secret:
        """The cookie's value after a sign-in: what the browser knew before, and this account.

        Args:
            presented: The cookie that came with the request.
        """
        browser, notes = self._read(presented)
        kept = [note for note in notes if note.account_id != account_id][: _MOST_ACCOUNTS - 1]
        fresh = _Note(account_id, security_epoch, self._world.micros())
        document = [
            browser or self._world.id(),
            [[note.account_id, note.security_epoch, note.at] for note in (fresh, *kept)],
        ]
        return Secret(self._ring.seal(KNOWN, orjson.dumps(document)))

    def hit(self, presented: str | None, account_id: str | None, security_epoch: int) -> Hit | None:
        """What a try from this browser is counted under; None when it is a stranger to the account."""
        browser, notes = self._read(presented)
        now = self._world.now()
        for note in notes:
            is_this = note.account_id == account_id and note.security_epoch == security_epoch
            if is_this and now < from_micros(note.at) + LIFETIME:
                # With the epoch: the browser keeps its name when a reset makes an end of the failures counted for it.
                return Hit(KNOWN_LOCKOUT, f"{browser}:{account_id}:{security_epoch}")
        return None

    def is_note(self, presented: str | None) -> bool:
        """Whether the browser is known to some account, so that its network's limit may not concern it."""
        return bool(self._read(presented)[0])

    def _read(self, presented: str | None) -> tuple[str, list[_Note]]:
        plain = self._ring.open_sealed(KNOWN, presented) if presented else None
        if plain is None:
            return "", []
        browser, notes = orjson.loads(plain)
        return browser, [_Note(*note) for note in notes]
