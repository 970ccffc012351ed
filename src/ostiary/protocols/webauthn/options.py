"""Owns what a page hands to `navigator.credentials`, in its JSON form (WebAuthn sections 5.1.9 and 5.1.10)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from ostiary.kernel.errors import Misuse
from ostiary.protocols.jose import base64url
from ostiary.protocols.webauthn.client_data import RelyingParty

ES256: Final = -7
EDDSA: Final = -8
RS256: Final = -257
# What every authenticator has one of (section 5.4), in the order in which it is wanted.
ALGORITHMS: Final = (ES256, EDDSA, RS256)

_SHORTEST_CHALLENGE: Final = 16  # bytes, section 13.4.3


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A credential by its id, and how its authenticator can be reached."""

    id: bytes
    transports: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As a `PublicKeyCredentialDescriptorJSON`."""
        described = {"type": "public-key", "id": base64url.encode(self.id)}
        return described | ({"transports": list(self.transports)} if self.transports else {})


def creation_options(
    site: RelyingParty,
    challenge: bytes,
    handle: bytes,
    label: str,
    known: Iterable[Descriptor],
    timeout: timedelta,
    *,
    is_sole: bool = False,
) -> dict[str, Any]:
    """What makes a new passkey: kept by the authenticator itself if it can, with user verification if it can.

    Args:
        site: Where it will work.
        challenge: To be signed; at least 16 bytes.
        handle: The account's; random, so that it tells nobody who that is (section 14.6.1).
        label: How the owner calls the account, shown by the authenticator alone.
        known: What the account has already: no authenticator makes a second one.
        timeout: How long the browser may take.
        is_sole: It will be all that signs in, without a name: it must be kept by the authenticator, which must verify
            its owner.
    """
    wish = "required" if is_sole else "preferred"
    return {
        "rp": {"id": site.id, "name": site.name},
        "user": {"id": base64url.encode(handle), "name": label, "displayName": label},
        "challenge": base64url.encode(_checked(challenge)),
        "pubKeyCredParams": [{"type": "public-key", "alg": one} for one in ALGORITHMS],
        "timeout": _millis(timeout),
        "excludeCredentials": [one.as_json() for one in known],
        "authenticatorSelection": {
            "residentKey": wish,
            "requireResidentKey": is_sole,
            "userVerification": wish,
        },
        "attestation": "direct" if site.roots else "none",
    }


def request_options(
    site: RelyingParty,
    challenge: bytes,
    allowed: Iterable[Descriptor],
    timeout: timedelta,
    *,
    is_sole: bool,
) -> dict[str, Any]:
    """What has a passkey answer.

    Args:
        site: Where it works.
        challenge: To be signed; at least 16 bytes.
        allowed: Which may answer; none named lets the owner choose among those that their authenticators keep.
        timeout: How long the browser may take.
        is_sole: It is all that is shown, so its owner must be verified.
    """
    return {
        "challenge": base64url.encode(_checked(challenge)),
        "timeout": _millis(timeout),
        "rpId": site.id,
        "allowCredentials": [one.as_json() for one in allowed],
        "userVerification": "required" if is_sole else "preferred",
    }


def _checked(challenge: bytes) -> bytes:
    if len(challenge) < _SHORTEST_CHALLENGE:
        raise Misuse(f"a challenge has at least {_SHORTEST_CHALLENGE} bytes (WebAuthn section 13.4.3)")
    return challenge


def _millis(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
