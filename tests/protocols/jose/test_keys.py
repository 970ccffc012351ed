"""Keys: what they are made of, which are too weak, and what they never show."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519

from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.protocols.jose import jws
from ostiary.protocols.jose.keys import SigningKey, VerifyingKey
from ostiary.protocols.jose.refusals import InvalidKey
from tests.protocols.jose.corpus import EDWARDS, KEY, KINDS, RSA, SHARED
from tests.protocols.jose.moduli import roca_modulus

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
OPEN = serialization.NoEncryption()


class Dice:
    """Chance that was thrown before."""

    def __init__(self, *thrown: bytes) -> None:
        self._thrown = iter(thrown)

    def bytes(self, count: int) -> bytes:
        """The next throw."""
        drawn = next(self._thrown)
        assert len(drawn) == count
        return drawn


def test_new_keys_come_from_the_worlds_chance() -> None:
    """The same chance makes the same P-256 and Ed25519 keys; numbers that are no private key are drawn again."""
    good = bytes(range(32))
    made = SigningKey.generate(World(chance=Dice(bytes(32), b"\xff" * 32, good)))
    assert made.kid == SigningKey.generate(World(chance=Dice(good))).kid
    assert made.alg == "ES256"
    edwards = SigningKey.generate(World(chance=Dice(good)), "EdDSA")
    assert (edwards.alg, edwards.kid) == ("EdDSA", SigningKey.generate(World(chance=Dice(good)), "EdDSA").kid)
    assert SigningKey.generate(World()).kid != SigningKey.generate(World()).kid


def test_a_new_rsa_key_has_3072_bits() -> None:
    """New RSA keys are larger than the smallest that is accepted (ASVS 11.2.3)."""
    key = SigningKey.generate(World(), "RS256")
    assert len(key.sign(b"x")) * 8 == 3072
    assert key.verifying.accepts(key.sign(b"x"), b"x")


def test_the_name_is_the_thumbprint_unless_told() -> None:
    """Two processes that import one key call it the same."""
    assert SigningKey.from_pem(KEY.to_pem()).kid == KEY.verifying.thumbprint()
    assert SigningKey.from_pem(KEY.to_pem(), "other").kid == "other"


@pytest.mark.parametrize("key", [KEY, EDWARDS, RSA], ids=lambda key: key.alg)
def test_a_key_survives_as_pem(key: SigningKey) -> None:
    """What comes back signs for the same public key."""
    again = SigningKey.from_pem(key.to_pem(), key.kid)
    assert key.verifying.accepts(again.sign(b"data"), b"data")
    assert again.alg == key.alg


def _ec(form: serialization.PrivateFormat) -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, form, OPEN)


@pytest.mark.parametrize("form", [PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
def test_older_forms_of_pem_are_read(form: serialization.PrivateFormat) -> None:
    """Operators have keys in the forms that their tools write."""
    assert SigningKey.from_pem(Secret(_ec(form))).alg == "ES256"


def test_an_encrypted_pem_needs_its_password() -> None:
    """With it the key is read; without it, or with another one, the message says so and shows nothing."""
    locked = Secret(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            PEM, PKCS8, serialization.BestAvailableEncryption(b"lantern")
        )
    )
    assert SigningKey.from_pem(locked, password=Secret("lantern")).alg == "ES256"
    for password in (None, Secret("wrong")):
        with pytest.raises(InvalidKey, match="password"):
            SigningKey.from_pem(locked, password=password)


REFUSED: dict[str, Callable[[], bytes]] = {
    "no PEM": lambda: b"lantern",
    "empty": lambda: b"",
    "a public key": lambda: KEY.to_pem().reveal_bytes()[:40],
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()).private_bytes(PEM, PKCS8, OPEN),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()).private_bytes(PEM, PKCS8, OPEN),
    "Ed448": lambda: ed448.Ed448PrivateKey.generate().private_bytes(PEM, PKCS8, OPEN),
    "X25519": lambda: x25519.X25519PrivateKey.generate().private_bytes(PEM, PKCS8, OPEN),
    "DSA": lambda: dsa.generate_private_key(2048).private_bytes(PEM, PKCS8, OPEN),
    "RSA of 1024 bits": lambda: rsa.generate_private_key(65537, 1024).private_bytes(PEM, PKCS8, OPEN),
    "RSA of 2040 bits": lambda: rsa.generate_private_key(65537, 2040).private_bytes(PEM, PKCS8, OPEN),
    "RSA with exponent 3": lambda: rsa.generate_private_key(3, 2048).private_bytes(PEM, PKCS8, OPEN),
}


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_a_key_that_must_not_sign_is_refused(name: str) -> None:
    """Weak keys and kinds that we do not use are refused when they are read, not when they are used."""
    text = REFUSED[name]()
    with pytest.raises(InvalidKey) as caught:
        SigningKey.from_pem(Secret(text))
    assert len(text) < 40 or text.splitlines()[1].decode() not in str(caught.value)


def test_a_roca_key_is_refused() -> None:
    """A modulus of the broken generator is refused, and an ordinary one is not."""
    with pytest.raises(InvalidKey, match="ROCA"):
        VerifyingKey(rsa.RSAPublicNumbers(65537, roca_modulus(2048)).public_key(), "weak")
    assert RSA.verifying.alg == "RS256"


@pytest.mark.parametrize("length", [0, 1, 16, 31])
def test_a_short_shared_secret_is_refused(length: int) -> None:
    """A secret shorter than the hash can be guessed from one token (RFC 7518 section 3.2)."""
    with pytest.raises(InvalidKey, match="32 bytes"):
        SigningKey(Secret(b"k" * length), "shared")


def test_a_shared_secret_is_never_shown() -> None:
    """It has no public form, no thumbprint, no PEM, and so it needs a name."""
    for show in (SHARED.verifying.members, SHARED.verifying.thumbprint, SHARED.to_pem):
        with pytest.raises(InvalidKey, match="shared secret"):
            show()
    with pytest.raises(InvalidKey, match="shared secret"):
        SigningKey(Secret(b"k" * 32))


@pytest.mark.parametrize("kid", ["", "x" * 257, "a\nb", "ä", "a\0", "\x1b[31m"])
def test_a_name_is_short_and_printable(kid: str) -> None:
    """Names of keys stand in logs."""
    with pytest.raises(InvalidKey, match="kid"):
        VerifyingKey(ed25519.Ed25519PrivateKey.generate().public_key(), kid)


@pytest.mark.parametrize("key", KINDS, ids=lambda key: key.alg)
def test_a_key_shows_name_and_algorithm_only(key: SigningKey) -> None:
    """Printing a key shows nothing of it."""
    assert repr(key) == f"SigningKey({key.alg}, kid={key.kid!r})"
    assert repr(key.verifying) == f"VerifyingKey({key.alg}, kid={key.kid!r})"


@pytest.mark.parametrize("key", KINDS, ids=lambda key: key.alg)
def test_no_key_accepts_the_signature_of_another(key: SigningKey) -> None:
    """Whatever the algorithm, a signature belongs to one key and one text."""
    for other in KINDS:
        signature = other.sign(b"data")
        assert key.verifying.accepts(signature, b"data") is (other is key)
        assert not key.verifying.accepts(signature, b"datA")
        assert not key.verifying.accepts(b"", b"data")


def test_a_message_names_its_key() -> None:
    """The header of what we write has algorithm, name and kind, and nothing else."""
    assert dict(jws.parse(jws.write(KEY, b"x", "at+jwt")).header) == {
        "alg": "ES256", "kid": "current", "typ": "at+jwt",
    }  # fmt: skip
