"""Owns a software authenticator with the browser around it: real keys and signatures, and mistakes on purpose.

    authenticator = SoftwareAuthenticator()
    answer = authenticator.create(options, "https://auth.example.com")
    answer = authenticator.get(options, "https://auth.example.com", amiss=Amiss(sign_count=1))

`options` and answers are the JSON that pages and ostiary exchange. It has one owner, who always agrees.
"""

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

ES256: Final = -7
EDDSA: Final = -8
RS256: Final = -257

# The flags of authenticator data (WebAuthn section 6.1).
UP: Final = 0x01
UV: Final = 0x04
BE: Final = 0x08
BS: Final = 0x10
AT: Final = 0x40
ED: Final = 0x80

Key: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Amiss:
    """What an authenticator or a browser does wrong in one ceremony; nothing unless told.

    Attributes:
        says: Members of the client data that are other than they should be; None takes one away.
        client_data: The client data altogether.
        mark: In front of the client data, in what is sent and signed.
        rp_id: The site that the authenticator believes to serve.
        sets: Flags that are set although they should not be.
        clears: Flags that are not set although they should be.
        sign_count: What the counter says.
        credential_id: Which credential the answer names.
        user_handle: Whose credential it says that it is; b"" says nothing.
        extensions: Outputs of extensions that nobody asked for, as CBOR.
        tail: After the authenticator data.
        public_key: Another COSE key than its own.
        fmt: The attestation's format; "packed" signs with the credential's own key.
        statement: The attestation's statement, as CBOR.
        signs: Other bytes than those that it should sign.
        sends: Members of the JSON around everything that are other than they should be; None takes one away.
    """

    says: Mapping[str, Any] = field(default_factory=dict)
    client_data: bytes | None = None
    mark: bytes = b""
    rp_id: str | None = None
    sets: int = 0
    clears: int = 0
    sign_count: int | None = None
    credential_id: bytes | None = None
    user_handle: bytes | None = None
    extensions: bytes = b""
    tail: bytes = b""
    public_key: bytes | None = None
    fmt: str = "none"
    statement: bytes | None = None
    signs: bytes | None = None
    sends: Mapping[str, Any] = field(default_factory=dict)


NOTHING: Final = Amiss()


@dataclass
class Credential:
    """A key pair for one account of one site."""

    id: bytes
    rp_id: str
    user_handle: bytes
    key: Key
    is_discoverable: bool
    sign_count: int = 0


class SoftwareAuthenticator:
    """Keeps credentials and answers with them.

    Args:
        algorithm: Of the keys that it makes.
        verifies: Whether it verifies its owner, by what would be a PIN or a finger.
        may_be_synced: Whether its credentials can be backed up (BE); then they are (BS).
        is_discoverable: Whether it keeps credentials that can be found without being named.
        counts: Whether its counter moves; synced ones say 0 for ever.
        aaguid: What make it is.
        id_length: How long its credentials' ids are, in bytes.
        certified: The key with which its maker vouches for it, and the certificates of that key, as DER.

    Attributes:
        credentials: All that it has made, in order.
    """

    def __init__(
        self,
        *,
        algorithm: int = ES256,
        verifies: bool = True,
        may_be_synced: bool = False,
        is_discoverable: bool = True,
        counts: bool = True,
        aaguid: bytes = bytes(16),
        id_length: int = 32,
        certified: tuple[ec.EllipticCurvePrivateKey, tuple[bytes, ...]] | None = None,
    ) -> None:
        self.algorithm = algorithm
        self.verifies = verifies
        self.may_be_synced = may_be_synced
        self.is_discoverable = is_discoverable
        self.counts = counts
        self.aaguid = aaguid
        self.id_length = id_length
        self.certified = certified
        self.credentials: list[Credential] = []

    def create(self, options: Mapping[str, Any], origin: str, *, amiss: Amiss = NOTHING) -> dict[str, Any]:
        """Make a credential (`navigator.credentials.create`).

        Args:
            options: A `PublicKeyCredentialCreationOptionsJSON`.
            origin: Of the page that asks.
            amiss: What goes wrong on purpose.

        Returns:
            A `RegistrationResponseJSON`.

        Raises:
            AssertionError: A credential of these is here already.
        """
        known = {decode(one["id"]) for one in options.get("excludeCredentials", ())}
        if known & {one.id for one in self.credentials}:
            raise AssertionError("InvalidStateError: this authenticator has a credential of this account")
        made = Credential(
            os.urandom(self.id_length),
            options["rp"]["id"],
            decode(options["user"]["id"]),
            _new_key(self.algorithm),
            self.is_discoverable,
        )
        self.credentials.append(made)
        client_data = _client_data("webauthn.create", options["challenge"], origin, amiss)
        credential_id = made.id if amiss.credential_id is None else amiss.credential_id
        public_key = _cose(made.key) if amiss.public_key is None else amiss.public_key
        attested = self.aaguid + len(credential_id).to_bytes(2) + credential_id + public_key
        data = self._authenticator_data(made, amiss, AT, attested)
        signed = data + hashlib.sha256(client_data).digest() if amiss.signs is None else amiss.signs
        fmt, statement = amiss.fmt, amiss.statement
        if statement is None and self.certified is not None:
            key, chain = self.certified
            fmt, statement = "packed", cbor({"alg": ES256, "sig": _sign(key, signed), "x5c": chain})
        if statement is None:
            own = {"alg": self.algorithm, "sig": _sign(made.key, signed)} if amiss.fmt == "packed" else {}
            statement = cbor(own)
        attestation = (
            b"\xa3"
            + (cbor("fmt") + cbor(fmt))
            + (cbor("attStmt") + statement)
            + (cbor("authData") + cbor(data))
        )
        response = {
            "clientDataJSON": encode(client_data),
            "attestationObject": encode(attestation),
            "transports": ["internal"] if self.is_discoverable else ["usb"],
        }
        return _sent(credential_id, response, amiss)

    def get(self, options: Mapping[str, Any], origin: str, *, amiss: Amiss = NOTHING) -> dict[str, Any]:
        """Answer with a credential (`navigator.credentials.get`): the newest that fits.

        Args:
            options: A `PublicKeyCredentialRequestOptionsJSON`.
            origin: Of the page that asks.
            amiss: What goes wrong on purpose.

        Returns:
            An `AuthenticationResponseJSON`.

        Raises:
            AssertionError: None fits.
        """
        allowed = {decode(one["id"]) for one in options.get("allowCredentials", ())}
        fitting = [
            one
            for one in self.credentials
            if one.rp_id == options["rpId"] and (one.id in allowed if allowed else one.is_discoverable)
        ]
        if not fitting:
            raise AssertionError("NotAllowedError: no credential of this authenticator fits")
        return self.answer(fitting[-1], options, origin, amiss=amiss)

    def answer(
        self, chosen: Credential, options: Mapping[str, Any], origin: str, *, amiss: Amiss = NOTHING
    ) -> dict[str, Any]:
        """Answer with one credential, whether or not it was asked for."""
        chosen.sign_count += self.counts
        client_data = _client_data("webauthn.get", options["challenge"], origin, amiss)
        data = self._authenticator_data(chosen, amiss, 0, b"")
        signed = data + hashlib.sha256(client_data).digest() if amiss.signs is None else amiss.signs
        handle = chosen.user_handle if chosen.is_discoverable else b""
        handle = handle if amiss.user_handle is None else amiss.user_handle
        response = {
            "clientDataJSON": encode(client_data),
            "authenticatorData": encode(data),
            "signature": encode(_sign(chosen.key, signed)),
            "userHandle": encode(handle) if handle else None,
        }
        return _sent(chosen.id if amiss.credential_id is None else amiss.credential_id, response, amiss)

    def _authenticator_data(self, of: Credential, amiss: Amiss, flags: int, attested: bytes) -> bytes:
        flags |= UP | (UV if self.verifies else 0) | (BE | BS if self.may_be_synced else 0)
        flags = (flags | amiss.sets | (ED if amiss.extensions else 0)) & ~amiss.clears
        count = of.sign_count if amiss.sign_count is None else amiss.sign_count
        site = hashlib.sha256((amiss.rp_id or of.rp_id).encode()).digest()
        return site + bytes([flags]) + count.to_bytes(4) + attested + amiss.extensions + amiss.tail


def encode(raw: bytes) -> str:
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes behind unpadded base64url."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def cbor(value: int | bytes | str | tuple[bytes, ...] | Mapping[Any, Any]) -> bytes:
    """As much of CBOR (RFC 8949) as authenticators need."""
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, tuple):
        return _head(4, len(value)) + b"".join(cbor(one) for one in value)
    return _head(5, len(value)) + b"".join(cbor(name) + cbor(inner) for name, inner in value.items())


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for code, width in ((24, 1), (25, 2), (26, 4)):
        if number < 256**width:
            return bytes([major << 5 | code]) + number.to_bytes(width)
    return bytes([major << 5 | 27]) + number.to_bytes(8)


def _client_data(ceremony: str, challenge: str, origin: str, amiss: Amiss) -> bytes:
    if amiss.client_data is not None:
        return amiss.client_data
    said = {"type": ceremony, "challenge": challenge, "origin": origin, "crossOrigin": False, **amiss.says}
    text = json.dumps({name: value for name, value in said.items() if value is not None})
    return amiss.mark + text.encode()


def _sent(credential_id: bytes, response: dict[str, Any], amiss: Amiss) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "id": encode(credential_id),
        "rawId": encode(credential_id),
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {},
        "response": response,
        **amiss.sends,
    }
    return {name: value for name, value in whole.items() if value is not None}


def _new_key(algorithm: int) -> Key:
    if algorithm == ES256:
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == EDDSA:
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == RS256:
        return rsa.generate_private_key(65537, 2048)
    raise ValueError(f"no such algorithm here: {algorithm}")


def _cose(key: Key) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        return cbor({1: 2, 3: ES256, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)})
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return cbor({1: 1, 3: EDDSA, -1: 6, -2: key.public_key().public_bytes_raw()})
    numbers = key.public_key().public_numbers()
    modulus = numbers.n.to_bytes(key.key_size // 8)
    return cbor({1: 3, 3: RS256, -1: modulus, -2: numbers.e.to_bytes(3)})


def _sign(key: Key, data: bytes) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(SHA256()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    return key.sign(data, padding.PKCS1v15(), SHA256())
