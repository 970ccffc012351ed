"""The text of an API key: what is written is read back, and nothing else is."""

import re
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.protocols import api_key
from ostiary.protocols.api_key import Presented

# As a secret scanner would be told it; the documentation says the same.
PATTERN = re.compile(r"ost_[a-z0-9]+_[0-9a-hjkmnp-tv-z]{26}_[0-9A-Za-z]{49}")
WORDS = st.from_regex(r"[a-z][a-z0-9]{0,15}", fullmatch=True)
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def key(secret: bytes = b"\x01" * 32) -> Presented:
    """A key."""
    return api_key.write("ost", "live", World().id(), Secret(secret))


@settings(max_examples=50)
@given(WORDS, WORDS, st.binary(min_size=32, max_size=32))
def test_there_and_back(prefix: str, environment: str, secret: bytes) -> None:
    """Whatever prefix, environment and secret are, a key is read as what was written, and has one length."""
    world = World()
    made = api_key.write(prefix, environment, world.id(), Secret(secret))
    text = made.text.reveal()
    read = api_key.read(text)
    assert read is not None
    assert (read.id, read.shown) == (made.id, made.shown)
    assert read.text.matches(text)
    assert api_key.looks_like_one(text)
    assert len(text) == len(prefix) + len(environment) + 26 + 49 + 3
    assert text.startswith(f"{prefix}_{environment}_{made.id}_")


def test_the_checksum_is_what_scanners_expect() -> None:
    """The last six characters are the CRC-32 of the rest in base62, most significant digit first."""
    text = key().text.reveal()
    assert PATTERN.fullmatch(text)
    number = 0
    for digit in text[-6:]:
        number = number * 62 + DIGITS.index(digit)
    assert number == zlib.crc32(text[:-6].encode())
    assert api_key.write("ost", "live", "0" * 26, Secret(b"\x00" * 32)).text.reveal()[36:79] == "0" * 43
    largest = api_key.write("ost", "live", "0" * 26, Secret(b"\xff" * 32)).text.reveal()
    assert len(largest) == len(text), "256 bits fit"


@given(st.integers(0, 84), st.sampled_from(DIGITS + "_-. é\0\n"))
def test_one_other_character_is_refused(position: int, other: str) -> None:
    """A key with one character exchanged, left out or doubled is none, wherever that is."""
    text = key().text.reveal()
    assert len(text) == 85
    exchanged = text[:position] + other + text[position + 1 :]
    assert (api_key.read(exchanged) is None) == (exchanged != text)
    assert api_key.read(text[:position] + text[position + 1 :]) is None
    assert api_key.read(text + text[position]) is None


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")))
def test_anything_may_be_asked(words: str) -> None:
    """Reading never raises, whatever somebody sends."""
    assert api_key.read(words) is None
    assert api_key.looks_like_one(words) in (True, False)


@pytest.mark.parametrize(
    "words", ["eyJhbGciOiJFZERTQSJ9.eyJhIjoxfQ.c2ln", "a_b_c.d.e", "x" * 40, "", "Ost_live_x"]
)
def test_other_bearers_are_none(words: str) -> None:
    """An access token, with dots, is never taken for a key; nor is anything that does not begin like one."""
    assert not api_key.looks_like_one(words)
    assert api_key.read(words) is None
