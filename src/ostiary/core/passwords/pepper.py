"""Owns what passwords ask of the pepper: a versioned key that lies apart from the stored hashes."""

from typing import Protocol

from ostiary.kernel.secret import Secret


class Pepper(Protocol):
    """Keys for the keyed pre-hash; the keyring provides them.

    A key stays available for as long as a stored password names it: losing it loses those passwords.
    """

    def current(self) -> tuple[str, Secret]:
        """The id and value of the key for new hashes; the id has 1 to 64 of ``A-Z a-z 0-9 . _ + / -``."""
        ...

    def by_id(self, key_id: str) -> Secret | None:
        """An older or the current key; None when there is no such key."""
        ...
