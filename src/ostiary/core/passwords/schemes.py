"""Owns the four hashing schemes: their costs, floors, ceilings and derivation. No policy, no threads, no clock.

A scheme is a frozen value; two are equal when they cost the same. Floors are the least that OWASP's Password Storage
Cheat Sheet recommends; ceilings keep a single stored row, perhaps imported, from occupying the machine (L28).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import ClassVar, Final, Protocol

import bcrypt
from argon2.low_level import Type, hash_secret_raw

from ostiary.core.passwords.phc import Phc
from ostiary.kernel.secret import Secret

SALT_BYTES: Final = 16
DIGEST_BYTES: Final = 32

# Equivalent pairs of memory (KiB) and passes.
_ARGON2_FLOORS: Final = ((47104, 1), (19456, 2), (12288, 3), (9216, 4), (7168, 5))
_ARGON2_MOST_MEMORY: Final = 1_048_576
_ARGON2_MOST_WORK: Final = 4_194_304
_SCRYPT_MOST_MEMORY: Final = 512 * 1024 * 1024
_PBKDF2_MOST: Final = 10_000_000

_BCRYPT_ALPHABET: Final = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BASE64_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TO_BCRYPT: Final = bytes.maketrans(_BASE64_ALPHABET, _BCRYPT_ALPHABET)
_FROM_BCRYPT: Final = bytes.maketrans(_BCRYPT_ALPHABET, _BASE64_ALPHABET)
_BCRYPT_DIGEST_BYTES: Final = 23
_BCRYPT_DIGEST_CHARS: Final = 31
_BCRYPT_MOST_INPUT: Final = 72


class Scheme(Protocol):
    """One way to derive a digest, at one cost."""

    @property
    def name(self) -> str:
        """As it stands in the PHC string."""
        ...

    @property
    def digest_bytes(self) -> int:
        """How long a new digest is."""
        ...

    @property
    def always_keyed(self) -> bool:
        """Whether new hashes take the keyed pre-hash even without a pepper, since the scheme confuses raw inputs."""
        ...

    def costs(self) -> dict[str, int]:
        """The numbers of the PHC string, in their order."""
        ...

    def mistake(self) -> str:
        """What is wrong with the costs for new hashes, in words that name the floor; "" when nothing is."""
        ...

    def expected(self) -> timedelta:
        """Roughly how long one derivation takes on an ordinary core; for sizing queues only."""
        ...

    def derive(self, data: bytes, salt: bytes, length: int) -> bytes:
        """The digest; slow on purpose, releases the interpreter's lock."""
        ...


@dataclass(frozen=True, slots=True)
class Argon2id:
    """Argon2id, version 19 (RFC 9106): memory in KiB, passes, lanes."""

    m: int
    t: int
    p: int

    name: ClassVar[str] = "argon2id"
    digest_bytes: ClassVar[int] = DIGEST_BYTES
    always_keyed: ClassVar[bool] = False

    def __post_init__(self) -> None:
        # RFC 9106 section 3.1: memory is at least eight blocks a lane.
        if not (1 <= self.p <= 16 and 8 * self.p <= self.m <= _ARGON2_MOST_MEMORY and self.t >= 1):
            raise ValueError(
                "argon2id takes 1 to 16 lanes, 8 KiB a lane to 1 GiB of memory, and at least one pass"
            )
        if self.m * self.t > _ARGON2_MOST_WORK:
            raise ValueError("argon2id: memory times passes may be 4 GiB at most")

    def costs(self) -> dict[str, int]:
        return asdict(self)

    def mistake(self) -> str:
        if any(self.m >= memory and self.t >= passes for memory, passes in _ARGON2_FLOORS):
            return ""
        floors = ", ".join(f"{memory} KiB with time {passes}" for memory, passes in _ARGON2_FLOORS)
        return f"argon2_memory_kib, argon2_time: below the floor, which is one of {floors}"

    def expected(self) -> timedelta:
        return timedelta(milliseconds=self.m * self.t / 1300)

    def derive(self, data: bytes, salt: bytes, length: int) -> bytes:
        return hash_secret_raw(data, salt, self.t, self.m, self.p, length, Type.ID)


@dataclass(frozen=True, slots=True)
class Bcrypt:
    """bcrypt over the keyed pre-hash, 64 characters of base64: it ends at a NUL and takes 72 bytes at most (L36)."""

    c: int

    name: ClassVar[str] = "bcrypt"
    digest_bytes: ClassVar[int] = _BCRYPT_DIGEST_BYTES
    always_keyed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 4 <= self.c <= 16:
            raise ValueError("bcrypt_cost: bcrypt takes a cost of 4 to 16 here")

    def costs(self) -> dict[str, int]:
        return asdict(self)

    def mistake(self) -> str:
        return "" if self.c >= 12 else "bcrypt_cost: below the floor, which is 12"

    def expected(self) -> timedelta:
        return timedelta(milliseconds=250 * 2.0 ** (self.c - 12))

    def derive(self, data: bytes, salt: bytes, length: int) -> bytes:
        if len(data) > _BCRYPT_MOST_INPUT or b"\0" in data or len(salt) != SALT_BYTES:
            raise ValueError("bcrypt takes the keyed pre-hash and a salt of 16 bytes")
        if length != _BCRYPT_DIGEST_BYTES:
            raise ValueError("a bcrypt digest has 23 bytes")
        written = base64.b64encode(salt).rstrip(b"=").translate(_TO_BCRYPT)
        made = bcrypt.hashpw(data, b"$2b$%02d$%s" % (self.c, written))
        return base64.b64decode(made[-_BCRYPT_DIGEST_CHARS:].translate(_FROM_BCRYPT) + b"=")


@dataclass(frozen=True, slots=True)
class Scrypt:
    """scrypt (RFC 7914): log2 of the work factor, block size, parallelism; confuses inputs as PBKDF2 does."""

    ln: int
    r: int = 8
    p: int = 1

    name: ClassVar[str] = "scrypt"
    digest_bytes: ClassVar[int] = DIGEST_BYTES
    always_keyed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (1 <= self.ln <= 22 and 1 <= self.r <= 32 and 1 <= self.p <= 16):
            raise ValueError("scrypt takes a log2 of N from 1 to 22, r to 32 and p to 16 here")
        if self._memory * self.p > _SCRYPT_MOST_MEMORY:
            raise ValueError("scrypt_log2_n: scrypt may take 512 MiB at most")

    @property
    def _memory(self) -> int:
        return 128 * self.r * (1 << self.ln)

    def costs(self) -> dict[str, int]:
        return asdict(self)

    def mistake(self) -> str:
        if self.ln >= 17 and self.r >= 8:
            return ""
        return "scrypt_log2_n: below the floor, which is 17 (N = 131072, r = 8, p = 1)"

    def expected(self) -> timedelta:
        return timedelta(milliseconds=450 * 2.0 ** (self.ln - 17) * self.r * self.p / 8)

    def derive(self, data: bytes, salt: bytes, length: int) -> bytes:
        room = self._memory + 128 * self.r * (self.p + 2) + 1024
        return hashlib.scrypt(data, salt=salt, n=1 << self.ln, r=self.r, p=self.p, maxmem=room, dklen=length)


@dataclass(frozen=True, slots=True)
class Pbkdf2Sha256:
    """PBKDF2 with HMAC-SHA-256 (RFC 8018 section 5.2).

    The password is the HMAC's key, which is padded with NULs to 64 bytes and hashed when longer (RFC 2104 section 2):
    a raw password would match itself with a NUL behind. New hashes take the pre-hash; imported ones may be raw.
    """

    i: int

    name: ClassVar[str] = "pbkdf2-sha256"
    digest_bytes: ClassVar[int] = DIGEST_BYTES
    always_keyed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 1 <= self.i <= _PBKDF2_MOST:
            raise ValueError(f"pbkdf2_iterations: PBKDF2 takes 1 to {_PBKDF2_MOST} iterations here")

    def costs(self) -> dict[str, int]:
        return asdict(self)

    def mistake(self) -> str:
        return "" if self.i >= 600_000 else "pbkdf2_iterations: below the floor, which is 600000"

    def expected(self) -> timedelta:
        return timedelta(milliseconds=self.i / 3000)

    def derive(self, data: bytes, salt: bytes, length: int) -> bytes:
        return hashlib.pbkdf2_hmac("sha256", data, salt, self.i, length)


_SCHEMES: Final[dict[str, tuple[type[Argon2id | Bcrypt | Scrypt | Pbkdf2Sha256], frozenset[str]]]] = {
    "argon2id": (Argon2id, frozenset("mtp")),
    "bcrypt": (Bcrypt, frozenset("c")),
    "scrypt": (Scrypt, frozenset({"ln", "r", "p"})),
    "pbkdf2-sha256": (Pbkdf2Sha256, frozenset("i")),
}


def scheme_of(name: str, costs: Mapping[str, int]) -> Scheme | None:
    """The scheme that a stored string names; None when it is unknown or its costs are out of bounds."""
    kind, expected = _SCHEMES.get(name, (None, frozenset()))
    if kind is None or costs.keys() != expected:
        return None
    try:
        made: Scheme = kind(**costs)
    except ValueError:
        return None
    return made


def keyed(data: bytes, key: Secret) -> bytes:
    """The keyed pre-hash: base64 of HMAC-SHA-384, 64 characters without NUL, so that every scheme takes it whole."""
    return base64.b64encode(hmac.digest(key.reveal_bytes(), data, "sha384"))


def protect(scheme: Scheme, data: bytes, salt: bytes, key: tuple[str, Secret] | None) -> str:
    """Derive a digest and write it as a PHC string.

    Args:
        scheme: At any cost; floors are for the settings to hold.
        data: The normalised password in UTF-8.
        salt: 16 fresh random bytes.
        key: The pepper key and its id; None for no keyed pre-hash.

    Raises:
        ValueError: the scheme is always keyed and there is no key.
    """
    if key is None and scheme.always_keyed:
        raise ValueError(f"{scheme.name} needs a pepper key for its pre-hash")
    prepared = data if key is None else keyed(data, key[1])
    digest = scheme.derive(prepared, salt, scheme.digest_bytes)
    return str(Phc(scheme.name, scheme.costs(), key[0] if key else None, salt, digest))


def readable(stored: Phc) -> Scheme | None:
    """The scheme with which a stored password can be verified; None when there is no way to."""
    scheme = scheme_of(stored.scheme, stored.costs)
    if isinstance(scheme, Bcrypt):
        whole = (len(stored.salt), len(stored.digest)) == (SALT_BYTES, _BCRYPT_DIGEST_BYTES)
        return scheme if whole and stored.key_id is not None else None
    return scheme


def proves(scheme: Scheme, stored: Phc, data: bytes, key: Secret | None) -> bool:
    """Whether a password is the stored one.

    Args:
        scheme: `readable(stored)`.
        stored: What was stored.
        data: The normalised password in UTF-8.
        key: The key that the stored string names; None when it names none.
    """
    prepared = data if key is None else keyed(data, key)
    return Secret(scheme.derive(prepared, stored.salt, len(stored.digest))).matches(stored.digest)


def is_outdated(stored: Phc, scheme: Scheme, key_id: str | None) -> bool:
    """Whether a stored password should be replaced at the next sign-in (S-A11).

    Args:
        stored: What was stored.
        scheme: What new hashes use.
        key_id: The pepper key that new hashes use; None for none.
    """
    return (
        scheme_of(stored.scheme, stored.costs) != scheme
        or stored.key_id != key_id
        or len(stored.salt) < SALT_BYTES
        or len(stored.digest) < scheme.digest_bytes
    )
