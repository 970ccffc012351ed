"""The four schemes and their stored form, at costs that take no time."""

import base64
import hashlib
import hmac

import bcrypt
import pytest
from argon2.low_level import Type, verify_secret
from hypothesis import given
from hypothesis import strategies as st

from ostiary.core.passwords.phc import Phc, parse
from ostiary.core.passwords.schemes import (
    Argon2id,
    Bcrypt,
    Pbkdf2Sha256,
    Scheme,
    Scrypt,
    is_outdated,
    protect,
    proves,
    readable,
    scheme_of,
)
from ostiary.kernel.secret import Secret
from tests.core.passwords.ring import CHEAP

SALT = bytes(range(16))
KEY = ("k1", Secret(b"1" * 32))
WAYS = [(scheme, key) for scheme in CHEAP for key in (KEY, None) if key or not scheme.always_keyed]
all_ways = pytest.mark.parametrize(("scheme", "key"), WAYS)


def verifies(stored: str, data: bytes, key: tuple[str, Secret] | None) -> bool:
    phc = parse(stored)
    scheme = readable(phc) if phc else None
    return phc is not None and scheme is not None and proves(scheme, phc, data, key[1] if key else None)


@all_ways
@given(password=st.binary(max_size=300), other=st.binary(max_size=300))
def test_a_password_proves_itself_and_no_other(
    scheme: Scheme,
    key: tuple[str, Secret] | None,
    password: bytes,
    other: bytes,
) -> None:
    """S-A11: any bytes of any length verify against their own hash and against no other."""
    stored = protect(scheme, password, SALT, key)
    assert verifies(stored, password, key)
    assert verifies(stored, other, key) == (password == other)


@all_ways
def test_nothing_is_cut_off(scheme: Scheme, key: tuple[str, Secret] | None) -> None:
    """S-A3: two 100-character passwords equal in their first 72 bytes do not verify for each other."""
    stored = protect(scheme, b"x" * 72 + b"a" * 28, SALT, key)
    assert not verifies(stored, b"x" * 72 + b"b" * 28, key)


@all_ways
def test_nul_is_significant(scheme: Scheme, key: tuple[str, Secret] | None) -> None:
    """S-A5: what follows a NUL byte counts."""
    stored = protect(scheme, b"before\0after", SALT, key)
    assert not verifies(stored, b"before\0other", key)
    assert not verifies(stored, b"before", key)
    assert verifies(stored, b"before\0after", key)


@all_ways
def test_stored_form_round_trips(scheme: Scheme, key: tuple[str, Secret] | None) -> None:
    """S-A11: the stored string names scheme, costs, key, a salt of 16 bytes, and reads back as the same."""
    stored = protect(scheme, b"password", SALT, key)
    phc = parse(stored)
    assert phc is not None
    assert str(phc) == stored
    assert (phc.scheme, phc.costs, phc.key_id) == (scheme.name, scheme.costs(), key[0] if key else None)
    assert (phc.salt, len(phc.digest)) == (SALT, 23 if scheme.name == "bcrypt" else 32)
    assert readable(phc) == scheme
    assert repr(phc) == f"Phc({scheme.name})"


@pytest.mark.parametrize(
    ("scheme", "form"),
    [
        (Argon2id(8, 1, 1), "$argon2id$v=19$m=8,t=1,p=1,keyid=k1$AAECAwQFBgcICQoLDA0ODw$"),
        (Bcrypt(4), "$bcrypt$c=4,keyid=k1$AAECAwQFBgcICQoLDA0ODw$"),
        (Scrypt(2), "$scrypt$ln=2,r=8,p=1,keyid=k1$AAECAwQFBgcICQoLDA0ODw$"),
        (Pbkdf2Sha256(2), "$pbkdf2-sha256$i=2,keyid=k1$AAECAwQFBgcICQoLDA0ODw$"),
    ],
)
def test_stored_form_is_as_documented(scheme: Scheme, form: str) -> None:
    """The strings look as the reference says, so that other programs can read them."""
    assert protect(scheme, b"password", SALT, KEY).startswith(form)


def test_argon2_strings_are_those_of_the_reference_implementation() -> None:
    """Without a pepper an Argon2id string verifies with any other implementation."""
    stored = protect(Argon2id(64, 2, 1), b"password", SALT, None)
    assert verify_secret(stored.encode(), b"password", Type.ID)


def test_bcrypt_digest_is_that_of_bcrypt() -> None:
    """The PHC form carries exactly what bcrypt computes over the documented keyed pre-hash."""
    stored = parse(protect(Bcrypt(4), b"password", SALT, KEY))
    assert stored is not None
    prepared = base64.b64encode(hmac.digest(b"1" * 32, b"password", "sha384"))
    to_bcrypt = bytes.maketrans(
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    )
    salt, digest = (
        base64.b64encode(raw).rstrip(b"=").translate(to_bcrypt) for raw in (stored.salt, stored.digest)
    )
    assert bcrypt.checkpw(prepared, b"$2b$04$" + salt + digest)


def test_published_vectors() -> None:
    """scrypt and PBKDF2 give the published values (RFC 7914 sections 12 and 11)."""
    assert (
        Scrypt(10, 8, 16)
        .derive(b"password", b"NaCl", 64)
        .hex()
        .startswith("fdbabe1c9d3472007856e7190d01e9fe")
    )
    assert (
        Pbkdf2Sha256(80000)
        .derive(b"Password", b"NaCl", 64)
        .hex()
        .startswith("4ddcd8f60b98be21830cee5ef22701f9")
    )
    assert Pbkdf2Sha256(1).derive(b"passwd", b"salt", 64) == hashlib.pbkdf2_hmac(
        "sha256", b"passwd", b"salt", 1, 64
    )


@pytest.mark.parametrize("scheme", [scheme for scheme in CHEAP if scheme.name != "argon2id"])
def test_only_argon2_works_without_a_key(scheme: Scheme) -> None:
    """Schemes that cut passwords off, or pad them with NULs, never hash a raw one."""
    with pytest.raises(ValueError, match="pepper key"):
        protect(scheme, b"password", SALT, None)


@pytest.mark.parametrize("scheme", [Scrypt(2), Pbkdf2Sha256(2)])
def test_raw_hashes_of_other_programs_verify_and_are_outdated(scheme: Scheme) -> None:
    """A stored string without a key id holds a digest of the raw password, as other programs make them."""
    phc = Phc(scheme.name, scheme.costs(), None, SALT, scheme.derive(b"password", SALT, 32))
    assert verifies(str(phc), b"password", None)
    assert not verifies(str(phc), b"passwort", None)
    assert is_outdated(phc, scheme, "k1")


def test_bcrypt_without_a_key_is_not_readable() -> None:
    """L36: bcrypt never sees a raw password on verifying either."""
    keyless = parse(protect(Bcrypt(4), b"password", SALT, KEY).replace(",keyid=k1", ""))
    assert keyless is not None
    assert readable(keyless) is None


GOOD = protect(Argon2id(8, 1, 1), b"password", SALT, KEY)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "$",
        "$$$$",
        "password",
        "plain:password",
        "$2b$12$abcdefghijklmnopqrstuv",
        GOOD + "$",
        GOOD + "=",
        GOOD[:-1],
        GOOD[1:],
        GOOD.replace("argon2id", "argon2i"),
        GOOD.replace("v=19", "v=16"),
        GOOD.replace("$v=19", ""),
        GOOD.replace("m=8", "m=08"),
        GOOD.replace("m=8", "m=-8"),
        GOOD.replace("m=8", "m=\uff18"),
        GOOD.replace("m=8,", ""),
        GOOD.replace("m=8", "m=8,m=8"),
        GOOD.replace("m=8", "x=8,m=8"),
        GOOD.replace("keyid=k1", "keyid="),
        GOOD.replace("keyid=k1", "keyid=k 1"),
        GOOD.replace("keyid=k1", "keyid=k1,keyid=k2"),
        " " + GOOD,
        GOOD + "\n",
        GOOD.replace("m=8", "m=4294967295"),
        GOOD.replace("t=1", "t=99999999"),
        GOOD.replace("p=1", "p=0"),
        GOOD.replace("AAECAwQFBgcICQoLDA0ODw", "AAEC"),
        GOOD.replace("$v=19", "$v=19$v=19"),
        "$argon2id",
        "\ud800",
        "\0",
        "$scrypt$ln=40,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$" + "A" * 43,
        "$scrypt$ln=20,r=32,p=16$AAECAwQFBgcICQoLDA0ODw$" + "A" * 43,
        "$pbkdf2-sha256$i=4000000000$AAECAwQFBgcICQoLDA0ODw$" + "A" * 43,
        "$bcrypt$c=31,keyid=k1$AAECAwQFBgcICQoLDA0ODw$" + "A" * 31,
        "$bcrypt$c=4,keyid=k1$AAECAwQFBgcICQoLDA0ODw$" + "A" * 43,
        GOOD + "A" * 10_000,
    ],
)
def test_malformed_or_excessive_strings_verify_nothing(stored: str) -> None:
    """L28: what is no stored password, or would cost too much to verify, is refused without deriving."""
    phc = parse(stored)
    assert phc is None or readable(phc) is None


@given(
    st.one_of(
        st.text(max_size=200),
        st.text(st.sampled_from("$=,abcdeghiklmnopqrstv0123456789AB+/-"), max_size=120),
        st.builds(
            lambda at, new: GOOD[:at] + new + GOOD[at + 1 :],
            st.integers(0, len(GOOD)),
            st.text(max_size=2),
        ),
    )
)
def test_parsing_never_raises(stored: str) -> None:
    """L28: any text whatever is either taken apart without loss or refused, and none raises."""
    phc = parse(stored)
    assert phc is None or str(phc) == stored
    if phc is not None:
        readable(phc)


@pytest.mark.parametrize(
    ("stored", "key_id", "outdated"),
    [
        (Phc("argon2id", {"m": 8, "t": 1, "p": 1}, "k1", SALT, b"d" * 32), "k1", False),
        (Phc("argon2id", {"m": 8, "t": 1, "p": 1}, "k0", SALT, b"d" * 32), "k1", True),
        (Phc("argon2id", {"m": 8, "t": 1, "p": 1}, None, SALT, b"d" * 32), "k1", True),
        (Phc("argon2id", {"m": 8, "t": 1, "p": 1}, "k1", SALT, b"d" * 32), None, True),
        (Phc("argon2id", {"m": 8, "t": 2, "p": 1}, "k1", SALT, b"d" * 32), "k1", True),
        (Phc("argon2id", {"m": 9, "t": 1, "p": 1}, "k1", SALT, b"d" * 32), "k1", True),
        (Phc("scrypt", {"ln": 2, "r": 8, "p": 1}, "k1", SALT, b"d" * 32), "k1", True),
        (Phc("argon2id", {"m": 8, "t": 1, "p": 1}, "k1", SALT[:8], b"d" * 32), "k1", True),
        (Phc("argon2id", {"m": 8, "t": 1, "p": 1}, "k1", SALT, b"d" * 16), "k1", True),
    ],
)
def test_out_of_date(stored: Phc, key_id: str | None, outdated: bool) -> None:
    """S-A11: another scheme, cost, key, or a short salt or digest asks for a new hash; nothing else does."""
    assert is_outdated(stored, Argon2id(8, 1, 1), key_id) == outdated


def test_unknown_schemes_are_none() -> None:
    """A scheme of another program is not guessed at."""
    assert scheme_of("yescrypt", {"n": 1}) is None
