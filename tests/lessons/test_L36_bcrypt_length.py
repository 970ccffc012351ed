"""L36: bcrypt 5 raises over 72 bytes, and older ones cut off in silence; neither ever reaches a user here."""

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.core.passwords.phc import parse
from ostiary.core.passwords.schemes import Bcrypt, protect, proves
from ostiary.kernel.secret import Secret
from ostiary.protocols.password_rules import normalise

KEY = ("k1", Secret(b"k" * 32))
SALT = b"s" * 16


def test_the_danger_is_real() -> None:
    """bcrypt itself raises for 73 bytes; when this fails the lesson may be retired."""
    with pytest.raises(ValueError, match="72"):
        bcrypt.hashpw(b"x" * 73, bcrypt.gensalt(4))


@settings(deadline=None)
@given(text=st.text(min_size=1, max_size=200), at=st.integers(0, 10_000))
def test_every_character_counts_at_every_length(text: str, at: int) -> None:
    """Over all lengths and Unicode bcrypt never raises, and changing any one character makes another password."""
    data = normalise(text).encode()
    stored = parse(protect(Bcrypt(4), data, SALT, KEY))
    assert stored is not None
    assert proves(Bcrypt(4), stored, data, KEY[1])
    place = at % len(data)
    changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    assert not proves(Bcrypt(4), stored, changed, KEY[1])


@pytest.mark.parametrize("size", [71, 72, 73, 100, 512])
def test_passwords_equal_in_their_beginning_differ(size: int) -> None:
    """S-A3: two passwords that differ only in the last byte never verify for each other."""
    stored = parse(protect(Bcrypt(4), b"x" * size + b"a", SALT, KEY))
    assert stored is not None
    assert not proves(Bcrypt(4), stored, b"x" * size + b"b", KEY[1])


def test_bcrypt_takes_nothing_but_the_pre_hash() -> None:
    """A longer text or one with a NUL is a defect of the caller, not something to cut off."""
    for data in (b"x" * 73, b"a\0b"):
        with pytest.raises(ValueError, match="pre-hash"):
            Bcrypt(4).derive(data, SALT, 23)
