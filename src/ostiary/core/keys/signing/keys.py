"""Owns the signing keys of one process: the one that signs, those that are believed, and the published set."""

import asyncio
from typing import Final, Literal

import orjson

from ostiary.core.keys.ring import Keyring, purpose
from ostiary.core.keys.signing import store
from ostiary.core.keys.signing.store import CURRENT, NEXT, PREVIOUS, SigningRow
from ostiary.kernel.errors import Misuse, Unavailable
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.protocols.jose.jwk import KeySet, read_key, write_set
from ostiary.protocols.jose.keys import SigningKey
from ostiary.storage.database import Database

MadeFor = Literal["ES256", "RS256", "EdDSA"]

PRIVATE_KEYS: Final = purpose("private_key", "Seals the private keys that tokens are signed with.")
_PUBLISHED: Final = (CURRENT, NEXT, PREVIOUS)


class SigningKeys:
    """The signing keys, open in memory; only the current one can sign.

    Args:
        ring: Seals private keys.
    """

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring
        self._current: SigningKey | None = None
        self._published = KeySet()
        self._document = write_set(())

    @property
    def current(self) -> SigningKey:
        """The key that signs now.

        Raises:
            Unavailable: it could not be opened; other processes may have it.
        """
        if self._current is None:
            raise Unavailable("the signing key cannot be opened")
        return self._current

    @property
    def published(self) -> KeySet:
        """Whose signatures are believed: next, current and previous."""
        return self._published

    @property
    def document(self) -> bytes:
        """The published key set as JSON (RFC 7517 section 5)."""
        return self._document

    async def refresh(self, database: Database) -> None:
        """Take over the keys that the database has now."""
        rows = [row for row in await database.all(store.LOAD) if row.state in _PUBLISHED]
        rows.sort(key=lambda row: _PUBLISHED.index(row.state))
        self._published = KeySet(read_key(orjson.loads(row.public)) for row in rows)
        self._document = write_set(self._published)
        signing = next((row for row in rows if row.state == CURRENT), None)
        if signing is None:
            self._current = None
        elif self._current is None or self._current.kid != signing.kid:
            self._current = opened(self._ring, signing)

    def settle(self) -> None:
        """Signing keys take over when the database says so, never by themselves."""


async def new_key(world: World, algorithm: MadeFor) -> SigningKey:
    """A fresh signing key. An RSA key takes up to a second, so that one is made in a thread."""
    kid = world.bytes(8).hex()
    if algorithm == "RS256":
        return await asyncio.to_thread(SigningKey.generate, world, algorithm, kid)
    return SigningKey.generate(world, algorithm, kid)


def read_pem(pem: Secret, algorithm: MadeFor) -> SigningKey:
    """A signing key of the operator's own.

    Args:
        pem: The private key, not encrypted.
        algorithm: How tokens are signed here.

    Raises:
        Misuse: it is no private key, too weak, or not for this algorithm.
    """
    key = SigningKey.from_pem(pem)
    if key.kid.startswith("-"):  # a command would take it for an option
        key = SigningKey.from_pem(pem, f"k{key.kid}")
    if key.alg != algorithm:
        raise Misuse(
            f"the private key is for {key.alg}; set signing_algorithm to that, or give one for {algorithm}"
        )
    return key


def seal(ring: Keyring, key: SigningKey) -> str:
    """A private key for the table."""
    return ring.seal(PRIVATE_KEYS, key.to_pem().reveal_bytes(), key.kid)


def opened(ring: Keyring, row: SigningRow) -> SigningKey:
    """The private key in a row.

    Raises:
        Misuse: the ring has no key for it, or the row was altered.
    """
    plain = ring.open_sealed(PRIVATE_KEYS, row.sealed, row.kid)
    if plain is None:
        raise Misuse(
            f"signing key {row.kid} cannot be opened: its row was altered, or its key of the ring is gone"
        )
    return SigningKey.from_pem(Secret(plain), row.kid)
