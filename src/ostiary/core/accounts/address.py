"""Owns the normal form of what people type to name an account."""

import unicodedata
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from ostiary.kernel.errors import INVALID_REQUEST, Refused

_LONGEST = 254  # RFC 5321 section 4.5.3.1.3, less the angle brackets


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
