"""Owns the normal form of what people type to name an account."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from ostiary.kernel.errors import INVALID_REQUEST, Refused

_LONGEST: Final = 254  # RFC 5321 section 4.5.3.1.3, less the angle brackets
_LONGEST_LOCAL: Final = 64  # RFC 5321 section 4.5.3.1.1
# Nearly every address that is ever typed: plain letters, digits and few signs, and no "--" in the domain. What it says
# is what the library says, for a fiftieth of the work; everything else is the library's.
_ORDINARY: Final = re.compile(
    r"([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@((?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+([A-Za-z]{2,}))"
)
_LONGEST_LABEL: Final = 63  # RFC 1035 section 2.3.1
_SPECIAL: Final = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)


@dataclass(frozen=True, slots=True)
class Address:
    """An e-mail address.

    Attributes:
        normal: What is compared: NFKC, local part in lower case, domain lower-case in its ASCII form (IDNA 2008).
        shown: What mail is sent to and people see.
    """

    normal: str
    shown: str

    @property
    def local(self) -> str:
        """The part before the @."""
        return self.normal.rpartition("@")[0]


def parse_email(typed: str) -> Address:
    """Read an e-mail address.

    Raises:
        Refused: `invalid_request`; it is none, or has a quoted local part or a domain literal.
    """
    address = find_email(typed)
    if address is None:
        raise Refused(
            INVALID_REQUEST,
            "not an e-mail address",
            details={
                "errors": [
                    {
                        "loc": ["email"],
                        "message": "Enter an e-mail address such as name@example.com.",
                        "type": "email",
                    }
                ]
            },
        )
    return address


def find_email(typed: str) -> Address | None:
    """Read an e-mail address; None when it is none."""
    if len(typed) > _LONGEST:
        return None
    return _ordinary(typed.strip()) or any_email(typed)


def _ordinary(typed: str) -> Address | None:
    found = _ORDINARY.fullmatch(typed)
    if found is None:
        return None
    local, domain, top = found.groups()
    domain = domain.lower()
    if len(local) > _LONGEST_LOCAL or top.lower() in _SPECIAL:
        return None
    if any(len(label) > _LONGEST_LABEL for label in domain.split(".")):
        return None
    return Address(f"{local.lower()}@{domain}", f"{local}@{domain}")


def any_email(typed: str) -> Address | None:
    """What the library says of an address, ordinary or not."""
    try:
        found = validate_email(
            unicodedata.normalize("NFKC", typed.strip()),
            check_deliverability=False,
            allow_quoted_local=False,
            allow_domain_literal=False,
            test_environment=True,  # names such as .test are somebody's intranet
        )
    except (EmailNotValidError, UnicodeError, ValueError):
        return None
    # Not case-folded: that makes "ß" and "ss" one, which are two people's mailboxes.
    local = unicodedata.normalize("NFKC", found.local_part.lower())
    return Address(f"{local}@{found.ascii_domain.lower()}", f"{found.local_part}@{found.domain}")
