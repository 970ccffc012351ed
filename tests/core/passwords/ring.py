"""Owns what tests of passwords share: a pepper with chosen keys, cheap schemes, and a way to make `Passwords`."""

from ostiary.core.passwords.hasher import Passwords
from ostiary.core.passwords.schemes import Argon2id, Bcrypt, Pbkdf2Sha256, Scheme, Scrypt
from ostiary.core.passwords.settings import PasswordSettings
from ostiary.kernel.events import Event
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World

CHEAP: tuple[Scheme, ...] = (Argon2id(8, 1, 1), Bcrypt(4), Scrypt(2), Pbkdf2Sha256(2))


class Ring:
    """A pepper whose current key tests can turn."""

    def __init__(self, **keys: bytes) -> None:
        self.keys = {name: Secret(value) for name, value in (keys or {"k1": b"1" * 32}).items()}
        self.newest = list(self.keys)[-1]

    def current(self) -> tuple[str, Secret]:
        return self.newest, self.keys[self.newest]

    def by_id(self, key_id: str) -> Secret | None:
        return self.keys.get(key_id)


def no_transaction() -> None:
    """The guard when no transaction is open."""


def unnoted(event: Event) -> None:
    """Takes notes where none may come."""
    raise AssertionError(f"noted {event.type.name}")


def cheap_passwords(scheme: Scheme = CHEAP[0], ring: Ring | None = None, pepper: bool = True) -> Passwords:
    """`Passwords` that cost nothing."""
    settings = PasswordSettings(password_pepper=pepper, hash_workers=1)
    return Passwords(World(), settings, ring or Ring(), no_transaction, scheme=scheme)
