"""Owns public keys as JSON (RFC 7517), one by one and in sets: reading and writing. Private ones have no JSON form."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from ostiary.protocols import strict_json
from ostiary.protocols.jose import base64url, moduli
from ostiary.protocols.jose.keys import VerifyingKey
from ostiary.protocols.jose.refusals import InvalidKey

MOST_BYTES: Final = 65_536
_MOST_KEYS: Final = 64
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_COORDINATE: Final = 32
_LONGEST_NUMBER: Final = 2048


class KeySet:
    """Public keys by name, or shared secrets by name, never both: else a public key could be taken for a secret (F13).

    Raises:
        InvalidKey: two keys have one name, one of several has none, or the kinds are mixed.
    """

    __slots__ = ("_by_kid",)

    def __init__(self, keys: Iterable[VerifyingKey] = ()) -> None:
        listed = tuple(keys)
        self._by_kid: Final = {key.kid: key for key in listed}
        if len(self._by_kid) != len(listed):
            raise InvalidKey("two keys of a set have the same kid")
        if len(listed) > 1 and None in self._by_kid:
            raise InvalidKey("a key without kid must be the only one of its set")
        if len({key.is_symmetric for key in listed}) > 1:
            raise InvalidKey("a set mixes shared secrets and public keys")

    def find(self, kid: str | None) -> VerifyingKey | None:
        """The key of this name. A token that names none is only for a set of one key (OpenID Connect Core 10.1)."""
        if kid is None:
            return next(iter(self._by_kid.values())) if len(self._by_kid) == 1 else None
        return self._by_kid.get(kid)

    def __iter__(self) -> Iterator[VerifyingKey]:
        return iter(self._by_kid.values())

    def __len__(self) -> int:
        return len(self._by_kid)


def write_key(key: VerifyingKey) -> dict[str, str]:
    """A public key as a JWK with name, use and algorithm.

    Raises:
        InvalidKey: it is a shared secret.
    """
    named = {} if key.kid is None else {"kid": key.kid}
    return key.members() | named | {"use": "sig", "alg": key.alg}


def write_set(keys: Iterable[VerifyingKey]) -> bytes:
    """A JWK set as it is published (RFC 7517 section 5).

    Raises:
        InvalidKey: one of them is a shared secret, or they do not make a `KeySet`.
    """
    return orjson.dumps({"keys": [write_key(key) for key in KeySet(keys)]})


def read_set(raw: bytes) -> KeySet:
    """The keys of a published set that are for verifying signatures with an algorithm of ours.

    Keys for something else (`use`, `key_ops`, `alg`, `kty` or `crv` say so) are passed over, as RFC 7517 section 5
    asks. Everything else that is wrong with a key refuses the whole set: an issuer that publishes a private member, a
    weak key or a name twice is in trouble, and half of its set is no answer to that.

    Args:
        raw: JSON of at most 64 KiB.

    Raises:
        InvalidKey: see above; or no set at all, too large, or more than 64 keys.
    """
    if len(raw) > MOST_BYTES:
        raise InvalidKey("the key set is too large")
    try:
        document = strict_json.parse(raw)
    except ValueError as error:
        raise InvalidKey(f"the key set is no strict JSON: {error}") from None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise InvalidKey("a key set is an object with a list `keys` of objects")
    if len(listed) > _MOST_KEYS:
        raise InvalidKey(f"a key set has at most {_MOST_KEYS} keys")
    for each in listed:
        _refuse_private(each)
    return KeySet(read_key(each) for each in listed if _is_for_us(each))


def read_key(members: Mapping[str, Any]) -> VerifyingKey:
    """One public key.

    Raises:
        InvalidKey: it is malformed, weak, has private members, or is not for verifying with an algorithm of ours.
    """
    _refuse_private(members)
    if not _is_for_us(members):
        raise InvalidKey("the key is not for verifying signatures, or not of a kind that we use")
    kid = members.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise InvalidKey("the kid of a key is text")
    try:
        match members["kty"]:
            case "EC":
                x, y = (int.from_bytes(_octets(members, name, _COORDINATE)) for name in ("x", "y"))
                return VerifyingKey(EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key(), kid)
            case "OKP":
                return VerifyingKey(Ed25519PublicKey.from_public_bytes(_octets(members, "x", 32)), kid)
            case _:
                n, e = _number(members, "n"), _number(members, "e")
                moduli.check_public(n, e)  # before OpenSSL computes anything with it
                return VerifyingKey(RSAPublicNumbers(e, n).public_key(), kid)
    except InvalidKey:
        raise
    except ValueError:
        raise InvalidKey("a member of the key is malformed, or the point is not on the curve") from None


def _refuse_private(members: Mapping[str, Any]) -> None:
    if members.keys() & _PRIVATE or members.get("kty") == "oct":
        raise InvalidKey("a public key has private members (F12)")


_KINDS: Final = {("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA", ("RSA", None): "RS256"}


def _is_for_us(members: Mapping[str, Any]) -> bool:
    """Whether a key is for checking signatures of a kind that we know (F13).

    Raises:
        InvalidKey: what it says about its use is malformed.
    """
    told = {name: members.get(name) for name in ("kty", "crv", "use", "alg")}
    if not all(value is None or isinstance(value, str) for value in told.values()) or told["kty"] is None:
        raise InvalidKey("kty, crv, use and alg of a key are text")
    operations = members.get("key_ops")
    if operations is not None:
        if not isinstance(operations, list) or not all(isinstance(each, str) for each in operations):
            raise InvalidKey("key_ops is a list of text")
        if len(set(operations)) != len(operations):
            raise InvalidKey("key_ops holds an operation twice")
        if "verify" not in operations:
            return False
    alg = _KINDS.get((told["kty"], told["crv"]))
    return alg is not None and told["alg"] in (None, alg) and told["use"] in (None, "sig")


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NUMBER:
        raise InvalidKey(f"the member {name} of a key is missing or no text")
    return value


def _octets(members: Mapping[str, Any], name: str, length: int) -> bytes:
    raw = base64url.decode(_text(members, name))
    if len(raw) != length:
        raise InvalidKey(f"the member {name} of a key has another length than {length} bytes")
    return raw


def _number(members: Mapping[str, Any], name: str) -> int:
    raw = base64url.decode(_text(members, name))
    if not raw[0]:
        raise InvalidKey(f"the number {name} of a key begins with a zero byte (RFC 7518 section 2)")
    return int.from_bytes(raw)
