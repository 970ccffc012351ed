"""Owns the seam behind which it is known which passwords were breached."""

from typing import Protocol


class SourceFailed(Exception):
    """It could not be found out.

    Args:
        why: In one word, for the journal.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Source(Protocol):
    """Knows fingerprints of breached passwords."""

    @property
    def name(self) -> str:
        """As in the setting `breached_passwords`."""
        ...

    def check(self) -> None:
        """Look whether it can be asked at all; blocks, so a start does it in a thread.

        Raises:
            Misuse: it cannot; the message says how to mend it.
        """
        ...

    async def knows(self, digits: str) -> bool:
        """Whether a fingerprint is of a breached password.

        Args:
            digits: As `protocols.breach_range.fingerprint` makes them.

        Raises:
            SourceFailed: it could not be found out.
        """
        ...
