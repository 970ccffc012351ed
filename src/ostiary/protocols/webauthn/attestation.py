"""Owns whom an attestation must convince: nobody, or the roots that an operator trusts (WebAuthn section 7.1, step 24).

The library verifies statements, and trusts the roots of some makers by itself. Here none count but those given.
"""

from collections.abc import Iterable
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ostiary.protocols.webauthn.client_data import InvalidAnswerError

# Of the formats that can have certificates, those whose statements are verified; SafetyNet is no more.
FORMATS: Final = ("packed", "tpm", "android-key", "apple", "fido-u2f")
_AAGUID: Final = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")
_OCTETS: Final = b"\x04\x10"  # how DER begins 16 bytes


def read_roots(pem: bytes) -> tuple[bytes, ...]:
    """Certificates of a PEM file, each as PEM.

    Raises:
        ValueError: There is none in it, or one that is none.
    """
    return tuple([one.public_bytes(Encoding.PEM) for one in x509.load_pem_x509_certificates(pem)])


def check_trusted(attestation: bytes, roots: Iterable[bytes]) -> None:
    """Demand that a verified attestation has certificates that lead to one of these roots.

    Args:
        attestation: The attestation object; its statement has been verified.
        roots: As from `read_roots`.

    Raises:
        InvalidAnswerError: It has none, or they lead elsewhere.
    """
    # Slow to import, and seldom needed.
    from webauthn.helpers import parse_attestation_object
    from webauthn.helpers.validate_certificate_chain import validate_certificate_chain

    attested = parse_attestation_object(attestation)
    chain = attested.att_stmt.x5c
    if attested.fmt not in FORMATS or not chain:
        raise InvalidAnswerError("attestation: nobody vouches for it")
    validate_certificate_chain(x5c=chain, pem_root_certs_bytes=list(roots))
    if attested.fmt == "packed" and attested.auth_data.attested_credential_data is not None:
        _check_packed(chain[0], attested.auth_data.attested_credential_data.aaguid)


def _check_packed(leaf: bytes, aaguid: bytes) -> None:
    """What section 8.2.1 demands of the certificate of an authenticator."""
    extensions = x509.load_der_x509_certificate(leaf).extensions
    if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        raise InvalidAnswerError("attestation: by an authority instead of an authenticator")
    for one in extensions:
        if one.oid == _AAGUID and one.value.public_bytes() != _OCTETS + aaguid:
            raise InvalidAnswerError("attestation: for another make of authenticator")
