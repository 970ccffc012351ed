"""Owns judging a new passkey (WebAuthn section 7.1). Attestations are verified; who must vouch, a site says."""

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ostiary.protocols.jose import base64url
from ostiary.protocols.webauthn.answers import RegistrationAnswer
from ostiary.protocols.webauthn.attestation import FORMATS, check_trusted
from ostiary.protocols.webauthn.client_data import (
    CREATE,
    InvalidAnswerError,
    RelyingParty,
    check_client_data,
)
from ostiary.protocols.webauthn.complaints import complaints
from ostiary.protocols.webauthn.options import ALGORITHMS, EDDSA, ES256, RS256

_LONGEST_KEY: Final = 1024  # bytes of a COSE key; verifying with a longer one would be work for nothing
_RSA_BITS: Final = range(2048, 4097)
# Of each algorithm, the only kind of key and curve (section 5.8.5; RFC 9053).
_KINDS: Final = {ES256: (2, 1), EDDSA: (1, 6), RS256: (3, None)}


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A passkey that was just made.

    Attributes:
        public_key: As a COSE key.
        sign_count: What its counter says; 0 for one that does not count.
        aaguid: Which make of authenticator says that it made it; nobody vouches for that.
        is_verified: Its owner was verified, by a PIN or a finger.
        may_be_synced: It can leave its authenticator (BE).
        is_synced: It has (BS).
    """

    id: bytes
    public_key: bytes
    algorithm: int
    sign_count: int
    aaguid: str
    transports: tuple[str, ...]
    is_verified: bool
    may_be_synced: bool
    is_synced: bool


def verify_registration(
    answer: RegistrationAnswer, challenge: bytes, site: RelyingParty, *, requires_verification: bool = False
) -> NewCredential:
    """The passkey that an answer brings.

    Args:
        answer: As it came.
        challenge: What was asked with.
        site: Whose passkey it is to be.
        requires_verification: Whether its owner must be verified.

    Raises:
        InvalidAnswerError: A step of section 7.1 does not hold.
    """
    # Slow to import, and seldom needed.
    from webauthn import verify_registration_response
    from webauthn.helpers import structs
    from webauthn.helpers.cose import COSEAlgorithmIdentifier

    check_client_data(answer.client_data, CREATE, challenge, site)
    response = structs.AuthenticatorAttestationResponse(answer.client_data, answer.attestation)
    with complaints():
        made = verify_registration_response(
            credential=structs.RegistrationCredential(
                base64url.encode(answer.credential_id), answer.credential_id, response
            ),
            expected_challenge=challenge,
            expected_rp_id=site.id,
            expected_origin=sorted(site.origins),
            require_user_verification=requires_verification,
            supported_pub_key_algs=[COSEAlgorithmIdentifier(one) for one in ALGORITHMS],
            pem_root_certs_bytes_by_fmt={
                structs.AttestationFormat(one): list(site.roots) for one in FORMATS if site.roots
            },
        )
        if site.roots:
            check_trusted(answer.attestation, site.roots)
        if made.credential_id != answer.credential_id:
            raise InvalidAnswerError("id: not the credential that was attested")
        return NewCredential(
            made.credential_id,
            made.credential_public_key,
            _algorithm_of(made.credential_public_key),
            made.sign_count,
            made.aaguid,
            answer.transports,
            made.user_verified,
            made.credential_device_type == structs.CredentialDeviceType.MULTI_DEVICE,
            made.credential_backed_up,
        )


def _algorithm_of(public_key: bytes) -> int:
    """The algorithm of a key that is fit for it; an attestation of "none" has not used the key so far."""
    from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography

    if len(public_key) > _LONGEST_KEY:
        raise InvalidAnswerError("key: too long")
    key = decode_credential_public_key(public_key)
    if (key.kty, getattr(key, "crv", None)) != _KINDS[key.alg]:
        raise InvalidAnswerError("key: not of its algorithm's kind")
    loaded = decoded_public_key_to_cryptography(key)
    if isinstance(loaded, RSAPublicKey) and loaded.key_size not in _RSA_BITS:
        raise InvalidAnswerError("key: 2048 to 4096 bits")
    return int(key.alg)
