"""Owns the text of the cookie: one browser may be trusted by several accounts, as a family's tablet is.

``id.secret~id.secret``, the latest first. The secret says nothing of whose it is, and nothing is worth anything without
its row.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from ostiary.kernel.secret import Secret
from ostiary.kernel.world import ID_LENGTH

_MOST_ACCOUNTS: Final = 5
_SECRET_LENGTH: Final = 43  # 32 bytes as unpadded base64url


def read(cookie: str | None) -> dict[str, Secret]:
    """The secrets that a browser presents, by the ids of what they belong to; what is no such text is nothing."""
    found: dict[str, Secret] = {}
    for part in (cookie or "").split("~")[:_MOST_ACCOUNTS]:
        device_id, _, secret = part.partition(".")
        if len(device_id) == ID_LENGTH and len(secret) == _SECRET_LENGTH:
            found[device_id] = Secret(secret)
    return found


def write(device_id: str, secret: Secret, kept: Mapping[str, Secret]) -> Secret:
    """The cookie with one more.

    Args:
        kept: What else stays in it, the latest first; the oldest goes where there are too many.
    """
    parts = [(device_id, secret), *((one, kept[one]) for one in kept if one != device_id)]
    return Secret("~".join(f"{one}.{its.reveal()}" for one, its in parts[:_MOST_ACCOUNTS]))


def hash_of(device_id: str, secret: Secret) -> bytes:
    """What is kept of a secret: one hash, since it is random; with the id, so that none stands in for another."""
    return hashlib.sha256(f"trusted_device:{device_id}:{secret.reveal()}".encode()).digest()
