"""Public keys as JSON: what is read, what is passed over, and what refuses the whole set."""

import json
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from ostiary.protocols.jose import base64url
from ostiary.protocols.jose.jwk import MOST_BYTES, KeySet, read_key, read_set, write_key, write_set
from ostiary.protocols.jose.keys import VerifyingKey
from ostiary.protocols.jose.refusals import InvalidKey
from tests.protocols.jose.corpus import EDWARDS, KEY, RSA, SHARED, STRANGER
from tests.protocols.jose.moduli import roca_modulus

EC = write_key(KEY.verifying)
OKP = write_key(EDWARDS.verifying)
RSA_KEY = write_key(RSA.verifying)
BIG = 1 << 2047


def encoded(*keys: Any) -> bytes:
    """A set of keys as it is published."""
    return json.dumps({"keys": list(keys)}).encode()


def number(value: int) -> str:
    """A number as a JWK has it."""
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8))


def test_a_set_comes_back_as_it_was_written() -> None:
    """Every public key survives, with its name; nothing private is in the text (F12)."""
    raw = write_set([KEY.verifying, EDWARDS.verifying, RSA.verifying])
    keys = read_set(raw)
    assert {key.kid: key.members() for key in keys} == {
        key.kid: key.verifying.members() for key in (KEY, EDWARDS, RSA)
    }
    members = {name for key in json.loads(raw)["keys"] for name in key}
    assert members == {"kty", "crv", "x", "y", "n", "e", "kid", "use", "alg"}
    found = keys.find("current")
    assert found is not None
    assert found.accepts(KEY.sign(b"x"), b"x")


def test_a_shared_secret_is_not_published() -> None:
    """A set to be published with a secret in it is an error, not a set without it."""
    with pytest.raises(InvalidKey, match="shared secret"):
        write_set([SHARED.verifying])


def without(key: dict[str, Any], *names: str) -> dict[str, Any]:
    """A key with members left out."""
    return {name: value for name, value in key.items() if name not in names}


PASSED_OVER: dict[str, dict[str, Any]] = {
    "for encryption": EC | {"use": "enc"},
    "for something of their own": EC | {"use": "vendor"},
    "for wrapping keys": without(EC, "use") | {"key_ops": ["wrapKey"]},
    "for signing, which a public key cannot": without(EC, "use") | {"key_ops": ["sign"]},
    "for nothing": without(EC, "use") | {"key_ops": []},
    "with another algorithm": RSA_KEY | {"alg": "PS256"},
    "with an algorithm of another kind": EC | {"alg": "RS256"},
    "on P-384": EC | {"crv": "P-384", "alg": "ES384"},
    "on X25519": OKP | {"crv": "X25519", "alg": "ECDH-ES"},
    "of an unknown kind": {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "kid": "later"},
    "on no curve": without(EC, "crv"),
    "RSA on a curve": RSA_KEY | {"crv": "P-256"},
}  # fmt: skip


@pytest.mark.parametrize("name", PASSED_OVER)
def test_a_key_for_something_else_is_passed_over(name: str) -> None:
    """The rest of the set is still good (RFC 7517 section 5); asked for alone, such a key is refused."""
    other = PASSED_OVER[name] | {"kid": "other"}
    keys = read_set(encoded(other, EC))
    assert [key.kid for key in keys] == ["current"]
    with pytest.raises(InvalidKey, match="not for verifying"):
        read_key(other)


ACCEPTED: dict[str, dict[str, Any]] = {
    "without use and alg": without(EC, "use", "alg"),
    "with key_ops": EC | {"key_ops": ["verify"]},
    "with a certificate": EC | {"x5c": ["MIIB"], "x5t": "AAAA", "x5u": "https://a.example"},
    "RSA without alg": without(RSA_KEY, "alg"),
    "with members of their own": EC | {"issuer": "x", "exp": 1},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_ordinary_key_is_read(name: str) -> None:
    """What issuers commonly publish is accepted."""
    assert len(read_set(encoded(ACCEPTED[name]))) == 1


REFUSED: dict[str, Any] = {
    "private: d": EC | {"d": EC["x"]},
    "private: RSA factors": RSA_KEY | {"p": "AQAB"},
    "private: dp": RSA_KEY | {"dp": "AQAB"},
    "private: dq": RSA_KEY | {"dq": "AQAB"},
    "private: q": RSA_KEY | {"q": "AQAB"},
    "private: qi": RSA_KEY | {"qi": "AQAB"},
    "private: oth": RSA_KEY | {"oth": []},
    "private: a k": EC | {"k": "AAAA"},
    "a shared secret": {"kty": "oct", "k": base64url.encode(b"k" * 32), "kid": "x"},
    "a shared secret without k": {"kty": "oct", "kid": "x"},
    "a private key for encryption": EC | {"use": "enc", "d": EC["x"]},
    "no kty": without(EC, "kty"),
    "kty no text": EC | {"kty": 1},
    "crv no text": EC | {"crv": ["P-256"]},
    "use no text": EC | {"use": ["sig"]},
    "alg no text": EC | {"alg": 256},
    "key_ops no list": EC | {"key_ops": "verify"},
    "key_ops not of text": EC | {"key_ops": ["verify", 1]},
    "key_ops twice": EC | {"key_ops": ["verify", "verify"]},
    "kid no text": EC | {"kid": 1},
    "kid empty": EC | {"kid": ""},
    "kid very long": EC | {"kid": "x" * 257},
    "kid with a line": EC | {"kid": "a\nb"},
    "no x": without(EC, "x"),
    "no y": without(EC, "y"),
    "x no text": EC | {"x": 1},
    "x padded": EC | {"x": EC["x"] + "="},
    "x with a space": EC | {"x": EC["x"][:-1] + " "},
    "x too short": EC | {"x": base64url.encode(b"x" * 31)},
    "x too long": EC | {"x": base64url.encode(b"\0" * 33)},
    "off the curve": EC | {"y": EC["x"]},
    "the point at zero": EC | {"x": base64url.encode(bytes(32)), "y": base64url.encode(bytes(32))},
    "Ed25519 too short": OKP | {"x": base64url.encode(b"x" * 31)},
    "no n": without(RSA_KEY, "n"),
    "no e": without(RSA_KEY, "e"),
    "n empty": RSA_KEY | {"n": ""},
    "n of 1024 bits": RSA_KEY | {"n": number(rsa.generate_private_key(65537, 1024).public_key().public_numbers().n)},
    "n of 2047 bits": RSA_KEY | {"n": number(BIG - 1)},
    "n of 8200 bits": RSA_KEY | {"n": number((1 << 8199) + 1)},
    "n enormous": RSA_KEY | {"n": "A" * 40_000},
    "n even": RSA_KEY | {"n": number(BIG)},
    "n with a zero before": RSA_KEY | {"n": base64url.encode(b"\0" + base64url.decode(RSA_KEY["n"]))},
    "n of ROCA": RSA_KEY | {"n": number(roca_modulus(2048))},
    "e of 3": RSA_KEY | {"e": "Aw"},
    "e of 1": RSA_KEY | {"e": "AQ"},
    "e even": RSA_KEY | {"e": number(65538)},
    "e as large as n": RSA_KEY | {"e": RSA_KEY["n"]},
    "no object": "key",
    "a list": [EC],
    "null": None,
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_key_refuses_the_set(name: str) -> None:
    """No half of a set is used whose other half is broken or gives a secret away."""
    other = REFUSED[name]
    with pytest.raises(InvalidKey):
        read_set(encoded(write_key(EDWARDS.verifying), other))


SETS: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"<html>",
    "null": b"null",
    "a list": json.dumps([EC]).encode(),
    "one key instead of a set": json.dumps(EC).encode(),
    "keys no list": b'{"keys":{}}',
    "keys missing": b"{}",
    "keys null": b'{"keys":null}',
    "keys twice": b'{"keys":[],"keys":[]}',
    "a member twice in a key": json.dumps({"keys": [EC]}).replace('"kty"', '"kty":"oct","kty"').encode(),
    "two keys of one name": encoded(EC, write_key(STRANGER.verifying)),
    "the same key twice": encoded(EC, EC),
    "one of two without a name": encoded(OKP, without(EC, "kid")),
    "65 keys": encoded(*(EC | {"kid": f"k{n}"} for n in range(65))),
    "too large": encoded(EC | {"pad": "x" * MOST_BYTES}),
    "too many values": json.dumps({"keys": [], "x": [0] * 2000}).encode(),
    "nested deeply": b'{"keys":[],"x":' + b"[" * 5000 + b"]" * 5000 + b"}",
}


@pytest.mark.parametrize("name", SETS)
def test_a_bad_set_is_refused(name: str) -> None:
    """What is no set of distinct named keys is none at all."""
    with pytest.raises(InvalidKey):
        read_set(SETS[name])


def test_an_empty_set_knows_no_key() -> None:
    """An issuer without keys signs nothing; no token finds a key there."""
    keys = read_set(b'{"keys":[]}')
    assert len(keys) == 0
    assert keys.find(None) is None
    assert keys.find("current") is None


def test_a_key_without_a_name_stands_alone() -> None:
    """With several keys a token must be able to say which one it means."""
    assert len(read_set(encoded(without(EC, "kid")))) == 1
    unnamed = VerifyingKey(ec.generate_private_key(ec.SECP256R1()).public_key(), None)
    with pytest.raises(InvalidKey, match="only one"):
        KeySet([KEY.verifying, unnamed])


def test_a_set_does_not_mix_secrets_and_public_keys() -> None:
    """Else a public key could be presented as the secret (F13)."""
    with pytest.raises(InvalidKey, match="mixes"):
        KeySet([KEY.verifying, SHARED.verifying])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.sampled_from(["kty", "crv", "use", "alg", "key_ops", "kid", "x", "y", "n", "e"])


@given(st.sampled_from([EC, OKP, RSA_KEY]), st.dictionaries(_NAMES, _JSON, max_size=3))
def test_whatever_a_key_holds_it_is_read_or_refused(key: dict[str, Any], changes: dict[str, Any]) -> None:
    """No key makes the reader fail in another way than by its refusal."""
    with suppress(InvalidKey):
        assert len(read_set(encoded(key | changes))) in (0, 1)


@given(st.binary(max_size=200))
def test_whatever_bytes_come_they_are_refused(raw: bytes) -> None:
    """No answer of a server makes the reader fail in another way."""
    with pytest.raises(InvalidKey):
        read_set(raw)
