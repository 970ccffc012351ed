"""Owns the JSON form of what an authenticator answers (WebAuthn section 5.1.8), read strictly and within bounds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ostiary.protocols.jose import base64url
from ostiary.protocols.webauthn.client_data import InvalidAnswerError

LONGEST_CREDENTIAL_ID: Final = 1023  # bytes, section 7.1 step 25
LONGEST_HANDLE: Final = 64  # bytes, section 5.4.3
_LONGEST_PART: Final = 32_768  # characters; certificates of attestations are long
_TRANSPORT: Final = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
_MOST_TRANSPORTS: Final = 8


@dataclass(frozen=True, slots=True)
class RegistrationAnswer:
    """What `navigator.credentials.create()` came to."""

    credential_id: bytes
    client_data: bytes
    attestation: bytes
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AssertionAnswer:
    """What `navigator.credentials.get()` came to.

    Attributes:
        user_handle: Whose passkey it says that it is; None when it does not say.
    """

    credential_id: bytes
    client_data: bytes
    authenticator_data: bytes
    signature: bytes
    user_handle: bytes | None


def read_registration(sent: object) -> RegistrationAnswer:
    """Read a `RegistrationResponseJSON`; what we do not need in it does not matter.

    Raises:
        InvalidAnswerError: It is none.
    """
    credential_id, response = _read(sent)
    told = response.get("transports")
    transports = [one for one in told if isinstance(one, str)] if isinstance(told, list) else []
    return RegistrationAnswer(
        credential_id,
        _bytes(response, "clientDataJSON"),
        _bytes(response, "attestationObject"),
        tuple([one for one in transports if _TRANSPORT.fullmatch(one)][:_MOST_TRANSPORTS]),
    )


def read_assertion(sent: object) -> AssertionAnswer:
    """Read an `AuthenticationResponseJSON`.

    Raises:
        InvalidAnswerError: It is none.
    """
    credential_id, response = _read(sent)
    handle = None if response.get("userHandle") is None else _bytes(response, "userHandle")
    if handle is not None and not 0 < len(handle) <= LONGEST_HANDLE:
        raise InvalidAnswerError("userHandle: impossible length")
    return AssertionAnswer(
        credential_id,
        _bytes(response, "clientDataJSON"),
        _bytes(response, "authenticatorData"),
        _bytes(response, "signature"),
        handle,
    )


def _read(sent: object) -> tuple[bytes, Mapping[str, Any]]:
    if not isinstance(sent, Mapping):
        raise InvalidAnswerError("no object")
    if sent.get("type") != "public-key":
        raise InvalidAnswerError("type: no public key")
    if sent.get("rawId", sent.get("id")) != sent.get("id"):
        raise InvalidAnswerError("rawId: is not id")
    credential_id = _bytes(sent, "id")
    if not 0 < len(credential_id) <= LONGEST_CREDENTIAL_ID:
        raise InvalidAnswerError("id: impossible length")
    response = sent.get("response")
    if not isinstance(response, Mapping):
        raise InvalidAnswerError("response: missing")
    return credential_id, response


def _bytes(sent: Mapping[str, Any], name: str) -> bytes:
    value = sent.get(name)
    if not isinstance(value, str) or len(value) > _LONGEST_PART:
        raise InvalidAnswerError(f"{name}: missing or too long")
    try:
        return base64url.decode(value)
    except ValueError as error:
        raise InvalidAnswerError(f"{name}: {error}") from None
