"""Owns the wire knowledge of breach corpora: fingerprints, their k-anonymous prefixes, lines and range answers.

The protocol is that of Have I Been Pwned's "Pwned Passwords" (its API version 3, "Searching by range"), which mirrors
and downloads share: SHA-1 in upper-case hex, asked for by its first five digits, answered by the rest of every known
fingerprint that begins so. A server learns 20 bits, which hundreds of known passwords share. A count of 0 is padding
that hides how long the answer is.
"""

import hashlib
import re
from typing import Final

PREFIX: Final = 5
DIGITS: Final = 40
_LINE: Final = re.compile(r"([0-9A-Fa-f]{40})(?::([0-9]{1,18}))?", re.ASCII)
_SUFFIX: Final = re.compile(r"([0-9A-Fa-f]{35}):([0-9]{1,18})", re.ASCII)


def fingerprint(password: str) -> str:
    """The 40 digits under which a password is listed.

    SHA-1 is the protocol's; nothing is stored or protected by it.

    Raises:
        UnicodeEncodeError: the password has no UTF-8 form.
    """
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


def read_line(line: str) -> tuple[str, bool]:
    """A line of a whole corpus, "fingerprint:count": the fingerprint, and whether the count is above 0.

    Raises:
        ValueError: it is none.
    """
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError("not a line of a corpus")
    return match[1].upper(), int(match[2] or "1") > 0


def read_range(body: bytes) -> str:
    """What a range answer lists, padding left out: the rests of fingerprints, one a line, for `is_listed`.

    Raises:
        ValueError: it is no such answer; one odd line is enough, since the rest is then nothing to rely on.
    """
    found = [""]
    for line in body.decode("ascii").splitlines():
        match = _SUFFIX.fullmatch(line)
        if match is None:
            raise ValueError("not a range answer")
        if int(match[2]):
            found.append(match[1].upper())
    if len(found) == 1:
        raise ValueError("a range answer without an entry")
    return "\n".join([*found, ""])


def is_listed(digits: str, listed: str) -> bool:
    """Whether a range that was read by `read_range`, for these digits' prefix, lists a fingerprint."""
    return f"\n{digits[PREFIX:]}\n" in listed
