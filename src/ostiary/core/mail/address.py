"""Owns what an address must look like to be written into a header and an envelope.

It refuses to judge whether people may register with it; that is the account's business.
"""

import re
from email.headerregistry import Address
from typing import Final

import idna

# No space, bracket, quote, comma or backslash: nothing that could end the address or begin a second one. Quoted local
# parts (RFC 5321 section 4.1.2) fall out with that; no provider gives them to people.
_LOCAL: Final = re.compile(r"[^\s<>()\[\],;:\\\"@]{1,64}")
_DOMAIN: Final = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_LONGEST: Final = 254  # RFC 5321 section 4.5.3.1.3, without the brackets


def parse_address(words: str, display_name: str = "") -> Address | None:
    """The address with its domain in ASCII (IDNA 2008); None for anything that is not exactly one plain address."""
    local, at, domain = words.rpartition("@")
    if not at or not words.isprintable() or not _LOCAL.fullmatch(local):
        return None
    try:
        domain = idna.encode(domain, uts46=True).decode() if not domain.isascii() else domain.lower()
    except idna.IDNAError:
        return None
    if not _DOMAIN.fullmatch(domain) or len(local.encode()) + 1 + len(domain) > _LONGEST:
        return None
    if local.startswith(".") or local.endswith(".") or ".." in local:
        return None
    if "=?" in local or "=?" in display_name:
        return (
            None  # the standard library would decode it (RFC 2047), with the line breaks that it may contain
        )
    return Address(display_name, local, domain)
