"""Owns judging the answer of a passkey (WebAuthn section 7.2)."""

from dataclasses import dataclass
from typing import Final

from ostiary.kernel.secret import Secret
from ostiary.protocols.jose import base64url
from ostiary.protocols.webauthn.answers import AssertionAnswer
from ostiary.protocols.webauthn.client_data import (
    GET,
    InvalidAnswerError,
    RelyingParty,
    check_client_data,
)
from ostiary.protocols.webauthn.complaints import complaints

_LONGEST: Final = 4096  # bytes of authenticator data, with extensions, and of a signature


@dataclass(frozen=True, slots=True)
class KnownCredential:
    """A passkey as it is stored.

    Attributes:
        handle: Of the account that it belongs to.
    """

    id: bytes
    public_key: bytes
    sign_count: int
    handle: bytes
    may_be_synced: bool


@dataclass(frozen=True, slots=True)
class Asserted:
    """A right answer.

    Attributes:
        sign_count: What the counter says now.
        is_verified: The owner was verified, by a PIN or a finger.
        is_synced: The passkey has left its authenticator (BS).
        is_cloned: The counter has not moved on: somebody else may have a copy of the key (section 6.1.1).
    """

    sign_count: int
    is_verified: bool
    is_synced: bool
    is_cloned: bool


def verify_assertion(
    answer: AssertionAnswer,
    challenge: bytes,
    site: RelyingParty,
    known: KnownCredential,
    *,
    is_discovered: bool,
) -> Asserted:
    """What an answer shows.

    Whether the owner had to be verified, and whether a copy is let in, is the caller's to decide.

    Args:
        answer: As it came.
        challenge: What was asked with.
        site: Whose passkey it is.
        known: The passkey that it names, as it is stored.
        is_discovered: Nobody was named before: the answer itself must say whose passkey it is.

    Raises:
        InvalidAnswerError: A step of section 7.2 does not hold.
    """
    # Slow to import, and seldom needed.
    from webauthn import verify_authentication_response
    from webauthn.helpers import structs

    if answer.credential_id != known.id:
        raise InvalidAnswerError("id: another credential")
    if answer.user_handle is None and is_discovered:
        raise InvalidAnswerError("userHandle: missing")
    if answer.user_handle is not None and not Secret(known.handle).matches(answer.user_handle):
        raise InvalidAnswerError("userHandle: somebody else's")
    check_client_data(answer.client_data, GET, challenge, site)
    if max(len(answer.authenticator_data), len(answer.signature)) > _LONGEST:
        raise InvalidAnswerError("answer: too long")
    response = structs.AuthenticatorAssertionResponse(
        answer.client_data, answer.authenticator_data, answer.signature, answer.user_handle
    )
    with complaints():
        shown = verify_authentication_response(
            credential=structs.AuthenticationCredential(
                base64url.encode(answer.credential_id), answer.credential_id, response
            ),
            expected_challenge=challenge,
            expected_rp_id=site.id,
            expected_origin=sorted(site.origins),
            credential_public_key=known.public_key,
            # The counter is judged below, once the signature holds: nobody else can raise an alarm.
            credential_current_sign_count=0,
        )
    may_be_synced = shown.credential_device_type == structs.CredentialDeviceType.MULTI_DEVICE
    if may_be_synced != known.may_be_synced:
        raise InvalidAnswerError("flags: whether it may be synced has changed")
    counts = shown.new_sign_count > 0 or known.sign_count > 0
    return Asserted(
        shown.new_sign_count,
        shown.user_verified,
        shown.credential_backed_up,
        is_cloned=counts and shown.new_sign_count <= known.sign_count,
    )
