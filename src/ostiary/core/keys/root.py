"""Owns the root secret: its strength, and the one key derived from it that seals the ring."""

import base64
import binascii
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ostiary.kernel.errors import Misuse
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World

ROOT_BYTES: Final = 32
_DISTINCT: Final = (
    12  # 32 random bytes have fewer distinct values than this with probability far below 2**-80
)
_NONCE: Final = 12
_MEND: Final = "make one with `ostiary root-secret` and keep it apart from the database and its backups"
FOREIGN: Final = (
    "root_secret does not belong to this database: its keys were sealed by another one. "
    "Start with the root secret that was in force when the database was made or backed up"
)


def parse_root(words: Secret) -> Secret:
    """Check a root secret as given by the operator and decode it.

    Args:
        words: At least 32 bytes as base64url, base64 or hex text.

    Raises:
        Misuse: it is missing, too short, or looks made up; the message says how to make one.
    """
    try:
        text = words.reveal().strip()
    except UnicodeDecodeError:  # its message would quote the secret
        text = "?"
    if not text:
        raise Misuse(f"root_secret is missing: {_MEND}")
    raw = _decode(text)
    if raw is None or len(raw) < ROOT_BYTES:
        raise Misuse(
            f"root_secret is weak: it must be {ROOT_BYTES} random bytes as base64url or hex; {_MEND}"
        )
    if len(set(raw)) < _DISTINCT:
        raise Misuse(f"root_secret is weak: it repeats itself; {_MEND}")
    if all(32 <= byte < 127 for byte in raw):
        # Random bytes are all printable with probability (95/256)**32: this is a phrase that somebody encoded.
        raise Misuse(f"root_secret is weak: it decodes to readable text; {_MEND}")
    if len({(after - before) % 256 for before, after in pairwise(raw)}) < _DISTINCT:
        raise Misuse(f"root_secret is weak: it counts up in equal steps; {_MEND}")
    return Secret(raw)


def _decode(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text)
    except ValueError:
        pass
    try:
        padded = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
        return base64.b64decode(padded, validate=True)
    except (ValueError, binascii.Error):
        return None


class RootSeal:
    """Seals and opens the keys of the ring with a key derived from the root secret (HKDF-SHA-256, RFC 5869).

    Attributes:
        id: Names the root secret without giving anything of it away.
    """

    def __init__(self, root: Secret) -> None:
        self._cipher = AESGCM(_derived(root, b"ostiary ring seal v1", 32))
        self.id: Final = _derived(root, b"ostiary ring root id v1", 8).hex()

    def seal(self, world: World, key: bytes, context: bytes) -> bytes:
        """The key, encrypted; `context` must be given again to open it."""
        nonce = world.bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, key, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The key.

        Raises:
            Misuse: another root secret sealed it, or somebody altered it.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], context)
        except (InvalidTag, ValueError):
            raise Misuse(FOREIGN) from None


def _derived(root: Secret, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt=None, info=info).derive(root.reveal_bytes())


@dataclass(frozen=True, slots=True)
class Roots:
    """The root secrets that a process accepts: the one in force, and while it is replaced the one before.

    Attributes:
        primary: What the ring is to be sealed with.
        previous: What it may still be sealed with.
    """

    primary: RootSeal
    previous: RootSeal | None = None

    def by_id(self, root_id: str) -> RootSeal:
        """The root secret that sealed something.

        Raises:
            Misuse: it is none of ours.
        """
        for root in (self.primary, self.previous):
            if root is not None and root.id == root_id:
                return root
        raise Misuse(FOREIGN)

    def open(self, root_id: str | None, sealed: bytes, context: bytes) -> bytes:
        """What one of them sealed.

        Args:
            root_id: Which one; None for what was sealed before roots had names.

        Raises:
            Misuse: none of them sealed it, or somebody altered it.
        """
        if root_id is not None:
            return self.by_id(root_id).open(sealed, context)
        if self.previous is None:
            return self.primary.open(sealed, context)
        try:
            return self.primary.open(sealed, context)
        except Misuse:
            return self.previous.open(sealed, context)
