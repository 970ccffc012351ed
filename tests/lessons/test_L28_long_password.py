"""L28: a password of absurd length costs nothing: it is refused before anything is hashed."""

import pytest

from ostiary.core.passwords.hasher import Passwords
from ostiary.core.passwords.schemes import Argon2id
from ostiary.core.passwords.settings import PasswordSettings
from ostiary.kernel.errors import Misuse, Refused
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from tests.core.passwords.ring import unnoted


class NoPepper:
    """A pepper that must not be asked."""

    def current(self) -> tuple[str, Secret]:
        raise AssertionError("hashing was prepared")

    def by_id(self, key_id: str) -> Secret | None:
        raise AssertionError("hashing was prepared")


def hashing_begins() -> None:
    """The guard, which is called before each hashing."""
    raise Misuse("hashing began")


@pytest.mark.parametrize(
    "text",
    ["x" * 10_000, "x" * 129, "🦉" * 129, "e\u0301" * 129, "\u0301" * 10_000, "x" * 5_000_000, "\0" * 10_000],
)
async def test_long_passwords_are_refused_before_hashing(text: str) -> None:
    """Setting, signing in to a known and to an unknown account all refuse alike, and no thread is even started."""
    passwords = Passwords(World(), PasswordSettings(), NoPepper(), hashing_begins, scheme=Argon2id(8, 1, 1))
    password = Secret(text)
    stored = "$argon2id$v=19$m=8,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$" + "A" * 43
    for work in (
        passwords.hash(password),
        passwords.verify(password, stored),
        passwords.verify(password, None),
    ):
        with pytest.raises(Refused) as refused:
            await work
        assert (refused.value.code.name, refused.value.code.status) == ("password_too_long", 422)
    with pytest.raises(Refused) as refused:
        await passwords.judge(password, note=unnoted)
    assert "password_too_long" in [entry["code"] for entry in refused.value.details["violations"]]
    assert passwords.pool._threads == []


@pytest.mark.parametrize("text", ["x" * 128, "🦉" * 128, "e\u0301" * 128])
async def test_the_longest_permitted_one_is_hashed(text: str) -> None:
    """Exactly 128 code points after NFC get as far as hashing."""
    passwords = Passwords(World(), PasswordSettings(), NoPepper(), hashing_begins, scheme=Argon2id(8, 1, 1))
    with pytest.raises(Misuse, match="hashing began"):
        await passwords.hash(Secret(text))
