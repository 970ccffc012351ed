"""Owns cursors: where a long list goes on. Sealed and bound to the query that made them (L21).

Whoever holds one can neither read nor alter it, and for another list, or for somebody else's, it opens nothing.
"""

from datetime import timedelta
from typing import Final

from ostiary.core.keys.ring import Keyring, purpose
from ostiary.kernel.errors import Refused, code

CURSORS: Final = purpose("cursor", "Seals where a list goes on.", kept_for=timedelta(days=1))
CURSOR_INVALID: Final = code(
    "cursor_invalid",
    400,
    "The list cannot be gone on with from here.",
    "The cursor was altered, or belongs to another list. Begin again without one.",
)
LONGEST: Final = 400


def seal_cursor(ring: Keyring, position: str, *query: str) -> str:
    """A cursor.

    Args:
        position: After which row the list goes on.
        query: The list's name, and everything that says whose and which list it is.
    """
    return ring.seal(CURSORS, position.encode(), *query)


def open_cursor(ring: Keyring, cursor: str, *query: str) -> str:
    """The position in a cursor that was made for this very query.

    Raises:
        Refused: `cursor_invalid`.
    """
    plain = ring.open_sealed(CURSORS, cursor, *query) if len(cursor) <= LONGEST else None
    if plain is None:
        raise Refused(CURSOR_INVALID, "altered, or another query's", counted=False)
    return plain.decode()
