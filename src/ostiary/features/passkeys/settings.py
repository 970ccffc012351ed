"""Owns the settings of passkeys, and the site that they make of the base URL."""

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final, Literal

from ostiary.core.mail.settings import MailSettings
from ostiary.http.settings import HttpSettings, parse_base_url
from ostiary.kernel.errors import Misuse
from ostiary.kernel.settings import Settings, setting
from ostiary.protocols.webauthn.attestation import read_roots
from ostiary.protocols.webauthn.client_data import RelyingParty

LONGEST_LIFETIME: Final = timedelta(minutes=5)
_DOMAIN: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.ASCII)
# What Android says instead of an origin: the hash of the certificate that an app is signed with.
_ANDROID: Final = re.compile(r"android:apk-key-hash:[A-Za-z0-9_-]{43}", re.ASCII)


def _check_origin(name: str, origin: str) -> None:
    if _ANDROID.fullmatch(origin):
        return
    try:
        exact = parse_base_url(origin).origin
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if exact != origin:
        raise ValueError(f"{name}: write each as browsers send it: lower case, no slash at the end")


@dataclass(frozen=True, slots=True)
class PasskeySettings:
    """Passkeys."""

    passkey_domain: str = setting(
        "",
        doc="The domain that passkeys belong to (RP ID): the base URL's host, or one above it; empty: the host itself. "
        "Passkeys are lost when it changes.",
    )
    passkey_origins: tuple[str, ...] = setting(
        (),
        doc="Exact origins besides the base URL on which passkeys are asked for, such as your own front end's.",
    )
    passkey_frames: tuple[str, ...] = setting(
        (), doc="Exact origins of pages that may ask for passkeys in a frame of ours; usually none."
    )
    passkey_clones: Literal["refuse", "report"] = setting(
        "refuse",
        doc="What becomes of a sign-in by a passkey whose counter says that there is a copy; the owner is told in "
        "either case.",
    )
    passkey_attestation: Literal["none", "roots"] = setting(
        "none",
        doc="Who must vouch for the authenticator of a new passkey: nobody, or one of `passkey_attestation_roots`; "
        "synced passkeys have nobody.",
    )
    passkey_attestation_roots: Path | None = setting(
        None, doc="A PEM file with the root certificates of the makers that are trusted."
    )
    passkeys_per_account: int = setting(20, doc="Most passkeys of an account.")
    passkey_challenge_lifetime: timedelta = setting(
        LONGEST_LIFETIME, doc="How long asking for a passkey may take; at most 5 minutes."
    )

    def __post_init__(self) -> None:
        if self.passkey_domain and not _DOMAIN.fullmatch(self.passkey_domain):
            raise ValueError("passkey_domain: must be a domain in lower case, without scheme and port")
        if (self.passkey_attestation == "roots") != (self.passkey_attestation_roots is not None):
            raise ValueError("passkey_attestation: 'roots' and passkey_attestation_roots go together")
        for name in ("passkey_origins", "passkey_frames"):
            for origin in getattr(self, name):
                _check_origin(name, origin)
        if not 1 <= self.passkeys_per_account <= 100:
            raise ValueError("passkeys_per_account: must be 1 to 100")
        if not timedelta() < self.passkey_challenge_lifetime <= LONGEST_LIFETIME:
            raise ValueError("passkey_challenge_lifetime: must be above zero and at most 5m")


def site_of(settings: Settings) -> RelyingParty:
    """The site that passkeys belong to.

    Raises:
        Misuse: `passkey_domain` is not the base URL's host and none above it, or the file of roots cannot be used.
    """
    own, base = settings.of(PasskeySettings), parse_base_url(settings.of(HttpSettings).base_url)
    domain = own.passkey_domain or base.host
    if base.host != domain and not base.host.endswith(f".{domain}"):
        raise Misuse(f"passkey_domain: must be {base.host!r}, the host of base_url, or a domain above it")
    return RelyingParty(
        domain,
        settings.of(MailSettings).site_name,
        frozenset({base.origin, *own.passkey_origins}),
        frozenset(own.passkey_frames),
        _roots_of(own.passkey_attestation_roots) if own.passkey_attestation_roots else (),
    )


@cache
def _roots_of(path: Path) -> tuple[bytes, ...]:
    """The roots of a file, read once: when the engine is made."""
    try:
        return read_roots(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Misuse(f"passkey_attestation_roots: {error}; name a PEM file with root certificates") from None
