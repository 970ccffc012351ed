"""Owns the stored form of a password: the PHC string ``$scheme[$v=19]$name=value,...$salt$digest``.

The parser is total: whatever the column holds, the answer is a `Phc` or None, never an exception, and its size is
bounded before anything is decoded (L28). Whether the costs are acceptable is for `schemes` to say.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_LONGEST: Final = 512
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
_PARAMETER: Final = re.compile(r"([a-z]{1,10})=(.{1,64})", re.ASCII)
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)
_KEY_ID: Final = re.compile(r"[A-Za-z0-9._+/-]{1,64}", re.ASCII)
# The version of Argon2 (RFC 9106 section 3.1); the only scheme here that has one.
ARGON2_VERSION: Final = "v=19"


@dataclass(frozen=True, slots=True)
class Phc:
    """A stored password, taken apart.

    Attributes:
        scheme: The scheme's name.
        costs: Its numbers by name, in the order in which they are written.
        key_id: The pepper key of the keyed pre-hash; None when there was none.
        salt: 8 to 64 bytes.
        digest: 16 to 64 bytes.
    """

    scheme: str
    costs: Mapping[str, int]
    key_id: str | None
    salt: bytes
    digest: bytes

    def __str__(self) -> str:
        version = f"${ARGON2_VERSION}" if self.scheme == "argon2id" else ""
        parameters = [f"{name}={value}" for name, value in self.costs.items()]
        if self.key_id is not None:
            parameters.append(f"keyid={self.key_id}")
        return f"${self.scheme}{version}${','.join(parameters)}${_encode(self.salt)}${_encode(self.digest)}"

    def __repr__(self) -> str:
        return f"Phc({self.scheme})"  # salt and digest belong in no log


def is_key_id(text: str) -> bool:
    """Whether a pepper key's id can stand in a PHC string."""
    return _KEY_ID.fullmatch(text) is not None


def parse(text: str) -> Phc | None:
    """Take a stored string apart; None when it is none of ours."""
    if len(text) > _LONGEST or not text.startswith("$"):
        return None
    scheme, *rest = text[1:].split("$")
    if scheme == "argon2id" and (not rest or rest.pop(0) != ARGON2_VERSION):
        return None
    if not _NAME.fullmatch(scheme) or len(rest) != 3:
        return None
    parameters = _parameters(rest[0])
    salt, digest = _decode(rest[1]), _decode(rest[2])
    if parameters is None or not 8 <= len(salt) <= 64 or not 16 <= len(digest) <= 64:
        return None
    costs, key_id = parameters
    return Phc(scheme, costs, key_id, salt, digest)


def _parameters(text: str) -> tuple[dict[str, int], str | None] | None:
    """The numbers and the key id; None when a part is malformed, repeated, or follows the key id."""
    costs: dict[str, int] = {}
    key_id: str | None = None
    for part in text.split(","):
        match = _PARAMETER.fullmatch(part)
        if match is None or key_id is not None or match[1] in costs:
            return None
        name, value = match[1], match[2]
        if name == "keyid" and is_key_id(value):
            key_id = value
        elif _NUMBER.fullmatch(value):
            costs[name] = int(value)
        else:
            return None
    return costs, key_id


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Unpadded standard base64; nothing when it is malformed or not the one way to write these bytes."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw if _encode(raw) == text else b""
