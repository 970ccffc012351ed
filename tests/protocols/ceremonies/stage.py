"""Owns what the tests of ceremonies share: a site, a challenge, and both ceremonies from beginning to end."""

from datetime import timedelta
from typing import Any, Final

from ostiary.protocols.webauthn.answers import read_assertion, read_registration
from ostiary.protocols.webauthn.assertion import Asserted, KnownCredential, verify_assertion
from ostiary.protocols.webauthn.client_data import RelyingParty
from ostiary.protocols.webauthn.options import creation_options, request_options
from ostiary.protocols.webauthn.registration import NewCredential, verify_registration
from ostiary.testing.authenticator import NOTHING, Amiss, SoftwareAuthenticator

ORIGIN: Final = "https://auth.example.com"
FRAME: Final = "https://shop.example.org"
SITE: Final = RelyingParty("example.com", "Example", frozenset({ORIGIN, "https://www.example.com"}))
FRAMED: Final = RelyingParty(SITE.id, SITE.name, SITE.origins, frozenset({FRAME}))
CHALLENGE: Final = bytes(range(32))
HANDLE: Final = bytes(64)
MINUTES: Final = timedelta(minutes=5)


def creation(**given: Any) -> dict[str, Any]:
    """Options for a new passkey."""
    return creation_options(SITE, CHALLENGE, HANDLE, "anna@example.com", given.get("known", ()), MINUTES)


def request(**given: Any) -> dict[str, Any]:
    """Options for an answer."""
    return request_options(SITE, CHALLENGE, given.get("allowed", ()), MINUTES, is_sole=True)


def registered(
    authenticator: SoftwareAuthenticator,
    amiss: Amiss = NOTHING,
    *,
    site: RelyingParty = SITE,
    challenge: bytes = CHALLENGE,
    requires_verification: bool = False,
) -> NewCredential:
    """Make a passkey and judge it."""
    sent = authenticator.create(creation(), ORIGIN, amiss=amiss)
    return verify_registration(
        read_registration(sent), challenge, site, requires_verification=requires_verification
    )


def known(made: NewCredential) -> KnownCredential:
    """A passkey as it is stored."""
    return KnownCredential(made.id, made.public_key, made.sign_count, HANDLE, made.may_be_synced)


def asserted(
    authenticator: SoftwareAuthenticator,
    stored: KnownCredential,
    amiss: Amiss = NOTHING,
    *,
    site: RelyingParty = SITE,
    challenge: bytes = CHALLENGE,
    is_discovered: bool = True,
) -> Asserted:
    """Have a passkey answer and judge it."""
    sent = authenticator.answer(authenticator.credentials[0], request(), ORIGIN, amiss=amiss)
    return verify_assertion(read_assertion(sent), challenge, site, stored, is_discovered=is_discovered)
