"""The root secret: what is strong enough to seal the keyring, and what is refused with a way to mend it."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.core.keys.root import RootSeal, parse_root
from ostiary.kernel.errors import Misuse
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World

RAW = bytes.fromhex("8f1c02d7a4b96e33f05510c8ee7219ab6d40f7135c9e28b1047adf63c2851b9e")


def b64(raw: bytes) -> str:
    """Padded standard base64."""
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "words",
    [
        RAW.hex(),
        RAW.hex().upper(),
        b64(RAW),
        base64.urlsafe_b64encode(RAW).decode(),
        base64.urlsafe_b64encode(RAW).decode().rstrip("="),
        f"  {RAW.hex()}\n",
    ],
)
def test_every_spelling_is_the_same_secret(words: str) -> None:
    """Hex, base64 and base64url, padded or not, with the line end of a file: all give the same 32 bytes."""
    assert parse_root(Secret(words)).matches(RAW)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "missing"),
        ("  \n", "missing"),
        ("hunter2", "32 random bytes"),
        ("correct horse battery staple, correct horse battery staple", "32 random bytes"),
        (RAW[:31].hex(), "32 random bytes"),
        (b64(RAW[:31]), "32 random bytes"),
        ("żółw" * 20, "32 random bytes"),
        ("\0" * 64, "32 random bytes"),
        ("00" * 32, "repeats itself"),
        ("deadbeef" * 8, "repeats itself"),
        (b64(b"0123456789a" * 3), "repeats itself"),
        (b64(b"my very long and secret passphrase of many words"), "readable text"),
        (b"abcdefghijklmnopqrstuvwxyz0123456789".hex(), "weak"),
        (bytes(range(32)).hex(), "weak"),
    ],
)
def test_a_weak_one_is_refused(words: str, says: str) -> None:
    """Missing, short, repeated or a phrase: refused, saying how to make one and never what was given."""
    with pytest.raises(Misuse, match=says) as caught:
        parse_root(Secret(words))
    assert "ostiary root-secret" in str(caught.value)
    assert not words.strip() or words.strip() not in str(caught.value)


def test_raw_bytes_are_refused_without_showing_them() -> None:
    """Bytes instead of text are a mistake of the host's code; the error does not quote them."""
    with pytest.raises(Misuse, match="32 random bytes") as caught:
        parse_root(Secret(b"\xff\xfe" + RAW))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@given(st.binary(min_size=32, max_size=64))
def test_a_random_one_is_taken(noise: bytes) -> None:
    """What `ostiary root-secret` prints is taken, and longer ones are."""
    raw = RAW + noise
    assert parse_root(Secret(b64(raw))).matches(raw)
    made = World().token(32)
    assert len(parse_root(made)) == 32


@given(st.binary(max_size=64), st.binary(max_size=16), st.integers(0, 10_000))
def test_the_seal(key: bytes, context: bytes, at: int) -> None:
    """What was sealed opens with the same root and context, and with nothing else, altered in no bit."""
    world, seal = World(), RootSeal(Secret(RAW))
    sealed = seal.seal(world, key, context)
    assert seal.open(sealed, context) == key
    altered = bytearray(sealed)
    altered[at % len(sealed)] ^= 1 << at % 8
    other = RootSeal(Secret(os.urandom(32)))
    for opener, what, where in (
        (seal, bytes(altered), context),
        (seal, sealed, context + b"x"),
        (other, sealed, context),
        (seal, sealed[:-1], context),
        (seal, sealed[:5], context),
        (seal, b"", context),
    ):
        with pytest.raises(Misuse, match="root_secret does not belong to this database"):
            opener.open(what, where)
