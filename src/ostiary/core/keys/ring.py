"""Owns the open keyring of one process: sealing, keyed hashes and MACs by purpose.

Which keys there are is decided in the database; `refresh` follows it. A new key is made known before it is used: it
stands in the table for a while (`active_at`) before anything is made with it, so that every process has it by then.
"""

import base64
import binascii
import hashlib
import hmac
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ostiary.core.keys import store
from ostiary.core.keys.root import FOREIGN, Roots, RootSeal
from ostiary.kernel.errors import Misuse
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.storage.database import Database

_KEY_BYTES: Final = 32
_NONCE: Final = 12


_CANARY: Final = b"ostiary"
_log: Final = logging.getLogger("ostiary.keys")


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a line of keys is for. Keys of one purpose never serve another (L06).

    Attributes:
        kept_for: How long after its successor took over a key may still be needed; None: for good.
        by_hand: It is never rotated by the schedule.
    """

    name: str
    doc: str
    kept_for: timedelta | None = None
    by_hand: bool = False


PURPOSES: Final[dict[str, Purpose]] = {}


def purpose(name: str, doc: str, *, kept_for: timedelta | None = None, by_hand: bool = False) -> Purpose:
    """Declare a purpose; the ring makes its first key at start.

    Args:
        name: Part of everything that its keys make.
        doc: One line for the reference page.
        kept_for: The longest life of what its keys make: so long an older key stays on the ring. Without it no key is
            ever dropped.
        by_hand: Only `ostiary keys rotate` makes a new key: for keyed hashes that are looked up in a table, where a
            new key finds nothing of what was there before.
    """
    made = Purpose(name, doc, kept_for, by_hand)
    if PURPOSES.setdefault(name, made) != made:
        raise Misuse(f"key purpose {name!r} is declared twice")
    return made


PEPPER: Final = purpose("pepper", "Keyed pre-hash of passwords.", by_hand=True)
THROTTLE: Final = purpose("throttle", "Hides what people type from the table of counters.", by_hand=True)


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Attributes:
        active_at: From when on new values are made with it, in UTC microseconds.
    """

    id: str
    secret: Secret
    active_at: int = 0


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
        previous: Opens what was sealed before `root` was in force.
    """

    def __init__(self, world: World, root: RootSeal, previous: RootSeal | None = None) -> None:
        self.world: Final = world
        self.roots: Final = Roots(root, previous)
        self._by_id: dict[tuple[str, str], Key] = {}
        self._lines: dict[str, list[Key]] = {}  # by purpose, in order of generation
        self._current: dict[str, Key] = {}

    async def open(self, database: Database, purposes: Iterable[Purpose]) -> None:
        """Load every key, and make the first one of each purpose that has none.

        Raises:
            Misuse: the root secret is not the one that sealed this database's keys.
        """
        await self._begin(database)
        await self._load(database, is_start=True)
        missing = [p for p in purposes if p.name not in self._current]
        if not missing:
            return
        async with database.transaction() as tx:
            state = await tx.one(store.BUMP)
            root = self.roots.by_id(state.root if state else "")
            for wanted in missing:
                await tx.run(store.ADD, **self.fresh(wanted, 1, root, self.world.micros()))
        await self._load(database, is_start=True)

    async def _begin(self, database: Database) -> None:
        """Let the canary say whether one of our root secrets sealed the ring; put it there at the very first start."""
        state = await database.one(store.STATE)
        if state is None:
            rows = await database.all(store.LOAD)
            root = self._sealing(rows[0]) if rows else self.roots.primary
            async with database.transaction() as tx:
                await tx.run(store.BEGIN, root=root.id, canary=self.canary(root))
            state = await database.one(store.STATE)
        if (
            state is None
            or self.roots.by_id(state.root).open(state.canary, _about_canary(state.root)) != _CANARY
        ):
            raise Misuse(FOREIGN)

    def _sealing(self, row: store.SealedKey) -> RootSeal:
        """Which root secret sealed a ring that has no canary yet."""
        if self.roots.previous is None:
            return self.roots.primary
        try:
            self.roots.primary.open(row.sealed, about(row.purpose, row.id))
        except Misuse:
            return self.roots.previous
        return self.roots.primary

    def canary(self, root: RootSeal) -> bytes:
        """What only this root secret opens."""
        return root.seal(self.world, _CANARY, _about_canary(root.id))

    def fresh(self, wanted: Purpose, generation: int, root: RootSeal, active_at: int) -> dict[str, object]:
        """The row of a new key.

        Args:
            root: What the ring is sealed with now.
            active_at: From when on it is used, in UTC microseconds.
        """
        key_id = self.world.bytes(6).hex()
        return {
            "id": key_id,
            "purpose": wanted.name,
            "generation": generation,
            "sealed": root.seal(self.world, self.world.bytes(_KEY_BYTES), about(wanted.name, key_id)),
            "created_at": self.world.micros(),
            "active_at": active_at,
            "root": root.id,
        }

    async def refresh(self, database: Database) -> None:
        """Take over what other processes changed; keys that they dropped are gone here, too."""
        await self._load(database, is_start=False)

    async def _load(self, database: Database, *, is_start: bool) -> None:
        by_id: dict[tuple[str, str], Key] = {}
        lines: dict[str, list[Key]] = {}
        for row in await database.all(store.LOAD):
            key = self._opened(row, is_start=is_start)
            if key is not None:
                by_id[row.purpose, row.id] = key
                lines.setdefault(row.purpose, []).append(key)
        self._by_id, self._lines = by_id, lines
        self.settle()

    def _opened(self, row: store.SealedKey, *, is_start: bool) -> Key | None:
        known = self._by_id.get((row.purpose, row.id))
        if known is not None:
            return known
        try:
            raw = self.roots.open(row.root, row.sealed, about(row.purpose, row.id))
        except Misuse:
            if is_start:
                raise
            # Resealed by a root secret that this process was not given: it goes on with what it has.
            _log.error("key %s (%s) was sealed by a root secret that is not ours", row.id, row.purpose)
            return None
        return Key(row.id, Secret(raw), row.active_at)

    def settle(self) -> None:
        """Let the keys take over whose time has come."""
        now = self.world.micros()
        self._current = {
            name: next((key for key in reversed(line) if key.active_at <= now), line[0])
            for name, line in self._lines.items()
        }

    def current(self, wanted: Purpose) -> Key:
        """The key that makes new values of this purpose."""
        return self._current[wanted.name]

    def find(self, wanted: Purpose, key_id: str) -> Key | None:
        """A key of this purpose by its id."""
        return self._by_id.get((wanted.name, key_id))

    def mac(self, wanted: Purpose, *parts: str | bytes, key_id: str | None = None) -> str:
        """A MAC over the parts, as ``key-id.mac`` (HMAC-SHA-256).

        Args:
            wanted: What it is for.
            parts: What it is over.
            key_id: An older key that is still on the ring, for what must come out the same again.
        """
        key = self.current(wanted) if key_id is None else self._by_id[wanted.name, key_id]
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
        nonce = self.world.bytes(_NONCE)
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


def about(purpose_name: str, key_id: str) -> bytes:
    """What a sealed key is bound to."""
    return framed("ring", purpose_name, key_id)


def _about_canary(root_id: str) -> bytes:
    return framed("canary", root_id)


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
