"""Owns the keys that sign and verify. What a key is made of decides its algorithm; nothing a token says can (L13)."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Final, Literal, assert_never

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.protocols.jose import base64url, moduli
from ostiary.protocols.jose.refusals import InvalidKey

Algorithm = Literal["ES256", "RS256", "EdDSA", "HS256"]
ALGORITHMS: Final[tuple[Algorithm, ...]] = ("ES256", "RS256", "EdDSA", "HS256")

PublicMaterial = EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey
PrivateMaterial = EllipticCurvePrivateKey | RSAPrivateKey | Ed25519PrivateKey

LONGEST_KID: Final = 256
NEW_RSA_BITS: Final = 3072
SHORTEST_SECRET: Final = 32  # the size of the hash (RFC 7518 section 3.2)
_COORDINATE: Final = 32
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ECDSA: Final = ECDSA(hashes.SHA256())
_SHA256: Final = hashes.SHA256()
_PKCS1: Final = padding.PKCS1v15()


def _checked_kid(kid: str) -> str:
    if not 0 < len(kid) <= LONGEST_KID or not (kid.isascii() and kid.isprintable()):
        raise InvalidKey(f"a kid is 1 to {LONGEST_KID} printable ASCII characters")
    return kid


def _checked_public(material: PublicMaterial | Secret) -> Algorithm:
    """The one algorithm that a key is for.

    Raises:
        InvalidKey: it is too weak, or of a kind that we do not use.
    """
    match material:
        case EllipticCurvePublicKey():
            if not isinstance(material.curve, SECP256R1):
                raise InvalidKey("an EC key must be on the curve P-256")
            return "ES256"
        case RSAPublicKey():
            numbers = material.public_numbers()
            moduli.check_public(numbers.n, numbers.e)
            return "RS256"
        case Ed25519PublicKey():
            return "EdDSA"
        case Secret():
            if len(material) < SHORTEST_SECRET:
                raise InvalidKey(f"a key for HS256 needs at least {SHORTEST_SECRET} bytes")
            return "HS256"
    raise InvalidKey("a key must be P-256, RSA or Ed25519")


def _check_of(material: PublicMaterial | Secret) -> Callable[[bytes, bytes], bool]:
    """How signatures are checked with a key, chosen once; it may raise `InvalidSignature` instead of saying False."""
    match material:
        case EllipticCurvePublicKey():

            def check(signature: bytes, data: bytes) -> bool:
                if len(signature) != 2 * _COORDINATE:  # exactly r ‖ s (RFC 7518 section 3.4)
                    return False
                r, s = int.from_bytes(signature[:_COORDINATE]), int.from_bytes(signature[_COORDINATE:])
                material.verify(encode_dss_signature(r, s), data, _ECDSA)
                return True

        case RSAPublicKey():

            def check(signature: bytes, data: bytes) -> bool:
                material.verify(signature, data, _PKCS1, _SHA256)
                return True

        case Ed25519PublicKey():

            def check(signature: bytes, data: bytes) -> bool:
                material.verify(signature, data)
                return True

        case Secret():

            def check(signature: bytes, data: bytes) -> bool:
                return _hmac(material, data).matches(signature)

        case _:
            assert_never(material)
    return check


class VerifyingKey:
    """What a signature is checked with: a public key, or a shared secret for HS256.

    Args:
        material: The key; it alone decides the algorithm.
        kid: Its name; None only for a key that stands alone.

    Raises:
        InvalidKey: it is too weak or not of a kind that we use.
    """

    __slots__ = ("_check", "_material", "alg", "kid")

    def __init__(self, material: PublicMaterial | Secret, kid: str | None) -> None:
        self.alg: Final = _checked_public(material)
        self.kid: Final = None if kid is None else _checked_kid(kid)
        self._material: Final = material
        self._check: Final = _check_of(material)

    def __repr__(self) -> str:
        return f"VerifyingKey({self.alg}, kid={self.kid!r})"

    @property
    def is_symmetric(self) -> bool:
        """Whether who can verify can sign, too."""
        return isinstance(self._material, Secret)

    def accepts(self, signature: bytes, data: bytes) -> bool:
        """Whether this key's owner signed `data`."""
        try:
            return self._check(signature, data)
        except InvalidSignature:
            return False

    def members(self) -> dict[str, str]:
        """The members of its JWK that make it the key it is (RFC 7638 section 3.2), without name and use.

        Raises:
            InvalidKey: it is a shared secret, which is never written down as a JWK.
        """
        match self._material:
            case EllipticCurvePublicKey() as key:
                point = key.public_numbers()
                x, y = (base64url.encode(each.to_bytes(_COORDINATE)) for each in (point.x, point.y))
                return {"crv": "P-256", "kty": "EC", "x": x, "y": y}
            case RSAPublicKey() as key:
                numbers = key.public_numbers()
                return {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}
            case Ed25519PublicKey() as key:
                return {"crv": "Ed25519", "kty": "OKP", "x": base64url.encode(key.public_bytes_raw())}
            case Secret():
                raise InvalidKey("a shared secret has no public form")

    def thumbprint(self) -> str:
        """RFC 7638, with SHA-256, as base64url.

        Raises:
            InvalidKey: it is a shared secret, which a thumbprint could help to guess (RFC 7638 section 7).
        """
        canonical = orjson.dumps(self.members(), option=orjson.OPT_SORT_KEYS)
        return base64url.encode(hashlib.sha256(canonical).digest())


class SigningKey:
    """What tokens are signed with.

    Args:
        material: A private key, or a shared secret for HS256, which must be chosen on purpose: whoever verifies with
            it can make tokens, too.
        kid: Its name; the thumbprint unless told. A shared secret needs one.

    Raises:
        InvalidKey: it is too weak, of a kind that we do not use, or a shared secret without a name.
    """

    __slots__ = ("_material", "alg", "kid", "verifying")

    def __init__(self, material: PrivateMaterial | Secret, kid: str | None = None) -> None:
        public = material if isinstance(material, Secret) else material.public_key()
        if kid is None:
            kid = VerifyingKey(public, None).thumbprint()
        self.verifying: Final = VerifyingKey(public, kid)
        self.alg: Final = self.verifying.alg
        self.kid: Final = kid
        self._material: Final = material

    def __repr__(self) -> str:
        return f"SigningKey({self.alg}, kid={self.kid!r})"

    @classmethod
    def generate(
        cls, world: World, alg: Literal["ES256", "RS256", "EdDSA"] = "ES256", kid: str | None = None
    ) -> "SigningKey":
        """A new key.

        P-256 and Ed25519 keys are made of the World's chance. RSA primes are drawn by OpenSSL, which has its own
        generator; 3072 bits take it up to a second, so call it on a thread.
        """
        match alg:
            case "ES256":
                # Testing candidates (FIPS 186-5 appendix A.2.2): reducing modulo the order would favour small numbers.
                while not 0 < (number := int.from_bytes(world.bytes(_COORDINATE))) < _P256_ORDER:
                    continue
                return cls(derive_private_key(number, SECP256R1()), kid)
            case "EdDSA":
                return cls(Ed25519PrivateKey.from_private_bytes(world.bytes(32)), kid)
            case "RS256":
                return cls(generate_private_key(65537, NEW_RSA_BITS), kid)

    @classmethod
    def from_pem(cls, pem: Secret, kid: str | None = None, password: Secret | None = None) -> "SigningKey":
        """A private key as operators keep it: PKCS #8, or the older forms of RSA and EC keys.

        Raises:
            InvalidKey: it cannot be read (the password may be wrong or missing), is too weak, or not of a kind we use.
        """
        try:
            material = serialization.load_pem_private_key(
                pem.reveal_bytes(), password.reveal_bytes() if password else None
            )
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise InvalidKey(
                "the private key is no PEM text that can be read, or its password is wrong"
            ) from None
        if not isinstance(material, PrivateMaterial):
            raise InvalidKey("a key must be P-256, RSA or Ed25519")
        return cls(material, kid)

    def to_pem(self) -> Secret:
        """The private key as PKCS #8 text, not encrypted: for sealing, never for writing down as it is.

        Raises:
            InvalidKey: it is a shared secret.
        """
        if isinstance(self._material, Secret):
            raise InvalidKey("a shared secret has no PEM form")
        return Secret(
            self._material.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    def sign(self, data: bytes) -> bytes:
        """The signature in the form of JWS (RFC 7518 section 3; RFC 8037 section 3.1)."""
        match self._material:
            case EllipticCurvePrivateKey() as key:
                r, s = decode_dss_signature(key.sign(data, _ECDSA))
                return r.to_bytes(_COORDINATE) + s.to_bytes(_COORDINATE)
            case RSAPrivateKey() as key:
                return key.sign(data, _PKCS1, _SHA256)
            case Ed25519PrivateKey() as key:
                return key.sign(data)
            case Secret() as key:
                return _hmac(key, data).reveal_bytes()


def _hmac(key: Secret, data: bytes) -> Secret:
    return Secret(hmac.digest(key.reveal_bytes(), data, "sha256"))


def _number(value: int) -> str:
    """Base64urlUInt (RFC 7518 section 2): as few bytes as the number needs."""
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8))
