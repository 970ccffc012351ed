"""Owns what a backup code looks like: `3-7K2M-0QXW-9VTB-H4ND`, its number and 80 bits, and how it is read back.

The alphabet is Crockford's base 32: what looks like another character counts as that one, and case does not matter.
"""

from dataclasses import dataclass
from typing import Final

from ostiary.kernel.secret import Secret

BYTES: Final = 10  # 80 bits
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MOST: Final = len(_ALPHABET)
_LOOKALIKES: Final = str.maketrans("OIL", "011")
_LETTERS: Final = 16
_GROUP: Final = 4


@dataclass(frozen=True, slots=True)
class BackupCode:
    """A backup code.

    Attributes:
        number: Which one of its account's, from 0.
        letters: The secret part, upper case and without dashes.
    """

    number: int
    letters: Secret

    @property
    def shown(self) -> Secret:
        """As its owner reads it."""
        letters = self.letters.reveal()
        groups = [letters[at : at + _GROUP] for at in range(0, _LETTERS, _GROUP)]
        return Secret("-".join((_ALPHABET[self.number], *groups)))

    def bound(self, account_id: str) -> Secret:
        """What is hashed: the code with purpose, number and account, so that its hash is worth nothing elsewhere."""
        return Secret(f"backup_code:{account_id}:{self.number}:{self.letters.reveal()}")


def made_of(number: int, chance: bytes) -> BackupCode:
    """The code of a number.

    Args:
        chance: Ten unpredictable bytes.
    """
    value = int.from_bytes(chance)
    places = range(5 * (_LETTERS - 1), -1, -5)
    return BackupCode(number, Secret("".join(_ALPHABET[value >> place & 31] for place in places)))


def read(typed: str) -> BackupCode | None:
    """The code that somebody typed, in any case and with or without dashes and spaces; None for what is none."""
    kept = "".join(c for c in typed if not (c.isspace() or c == "-"))
    # First the ASCII ones: upper case makes ASCII letters of some others.
    if len(kept) != _LETTERS + 1 or not kept.isascii():
        return None
    kept = kept.upper().translate(_LOOKALIKES)
    if any(c not in _ALPHABET for c in kept):
        return None
    return BackupCode(_ALPHABET.index(kept[0]), Secret(kept[1:]))
