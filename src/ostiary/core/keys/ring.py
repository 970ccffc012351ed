"""Owns the open keyring of one process: sealing, keyed hashes and MACs by purpose."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ostiary.core.keys import store
from ostiary.core.keys.root import RootSeal
from ostiary.kernel.errors import Misuse
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.storage.database import Database

_KEY_BYTES: Final = 32
_NONCE: Final = 12


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a line of keys is for. Keys of one purpose never serve another (L06)."""

    name: str
    doc: str


PURPOSES: Final[dict[str, Purpose]] = {}


def purpose(name: str, doc: str) -> Purpose:
    """Declare a purpose; the ring makes its first key at start."""
    made = Purpose(name, doc)
    if PURPOSES.setdefault(name, made) != made:
        raise Misuse(f"key purpose {name!r} is declared twice")
    return made


PEPPER: Final = purpose("pepper", "Keyed pre-hash of passwords.")
THROTTLE: Final = purpose("throttle", "Hides what people type from the table of counters.")


@dataclass(frozen=True, slots=True)
class Key:
    """One key."""

    id: str
    secret: Secret


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_base64url(words: str) -> bytes | None:
    """Unpadded, canonical base64url, or None."""
    try:
        raw = base64.b64decode(words + "=" * (-len(words) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    return raw if _encode(raw) == words else None


def framed(*parts: str | bytes) -> bytes:
    """The parts with their lengths in front, so that no two lists of parts give the same bytes (L22)."""
    out = bytearray()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        out += len(raw).to_bytes(4) + raw
    return bytes(out)


class Keyring:
    """The keys of this deployment, open in memory.

    Args:
        world: Where new keys come from.
        root: Opens and seals the ring.
    """

    def __init__(self, world: World, root: RootSeal) -> None:
        self._world = world
        self._root = root
        self._by_id: dict[tuple[str, str], Key] = {}
        self._current: dict[str, Key] = {}

    async def open(self, database: Database, purposes: Iterable[Purpose]) -> None:
        """Load every key, and make the first one of each purpose that has none.

        Raises:
            Misuse: the root secret is not the one that sealed this database's keys.
        """
        await self._load(database)
        missing = [p for p in purposes if p.name not in self._current]
        if not missing:
            return
        async with database.transaction() as tx:
            for wanted in missing:
                key_id = _encode(self._world.bytes(6))
                sealed = self._root.seal(
                    self._world, self._world.bytes(_KEY_BYTES), framed("ring", wanted.name, key_id)
                )
                await tx.run(
                    store.ADD,
                    id=key_id,
                    purpose=wanted.name,
                    generation=1,
                    sealed=sealed,
                    created_at=self._world.micros(),
                )
        await self._load(database)

    async def _load(self, database: Database) -> None:
        for row in await database.all(store.LOAD):
            raw = self._root.open(row.sealed, framed("ring", row.purpose, row.id))
            key = Key(row.id, Secret(raw))
            self._by_id[row.purpose, row.id] = key
            self._current[row.purpose] = key  # rows come in order of generation

    def current(self, wanted: Purpose) -> Key:
        """The key that makes new values of this purpose."""
        return self._current[wanted.name]

    def find(self, wanted: Purpose, key_id: str) -> Key | None:
        """A key of this purpose by its id."""
        return self._by_id.get((wanted.name, key_id))

    def mac(self, wanted: Purpose, *parts: str | bytes) -> str:
        """A MAC over the parts, as ``key-id.mac`` (HMAC-SHA-256)."""
        key = self.current(wanted)
        return f"{key.id}.{_encode(_hmac(key, wanted, parts))}"

    def check_mac(self, wanted: Purpose, presented: str, *parts: str | bytes) -> bool:
        """Whether `presented` was made by `mac` over the same parts, with a key that is still on the ring."""
        key_id, _, claimed = presented.partition(".")
        key = self.find(wanted, key_id)
        raw = decode_base64url(claimed)
        if key is None or raw is None:
            return False
        return Secret(_hmac(key, wanted, parts)).matches(raw)

    def seal(self, wanted: Purpose, plain: bytes, *context: str | bytes) -> str:
        """Encrypt and authenticate, as ``key-id.sealed`` (AES-256-GCM); `context` must be given again to open."""
        key = self.current(wanted)
        nonce = self._world.bytes(_NONCE)
        bound = framed("seal", wanted.name, key.id, *context)
        return f"{key.id}.{_encode(nonce + AESGCM(key.secret.reveal_bytes()).encrypt(nonce, plain, bound))}"

    def open_sealed(self, wanted: Purpose, sealed: str, *context: str | bytes) -> bytes | None:
        """What was sealed for this purpose and context; None for anything else, whatever is wrong with it."""
        key_id, _, body = sealed.partition(".")
        key = self.find(wanted, key_id)
        raw = decode_base64url(body)
        if key is None or raw is None or len(raw) <= _NONCE:
            return None
        bound = framed("seal", wanted.name, key.id, *context)
        try:
            return AESGCM(key.secret.reveal_bytes()).decrypt(raw[:_NONCE], raw[_NONCE:], bound)
        except InvalidTag:
            return None


def _hmac(key: Key, wanted: Purpose, parts: tuple[str | bytes, ...]) -> bytes:
    return hmac.digest(key.secret.reveal_bytes(), framed("mac", wanted.name, *parts), hashlib.sha256)


class RingPepper:
    """The ring's pepper line in the form that password hashing asks for."""

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring

    def current(self) -> tuple[str, Secret]:
        """Id and secret of the pepper for new hashes."""
        key = self._ring.current(PEPPER)
        return key.id, key.secret

    def by_id(self, key_id: str) -> Secret | None:
        """The pepper that an older hash names."""
        key = self._ring.find(PEPPER, key_id)
        return key.secret if key else None
