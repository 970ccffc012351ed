"""Owns the text of refresh tokens, their successors, and the judgement of one that was presented. Pure.

A token is ``family.generation.secret.tag``; the tag is a MAC over the rest and names its key. The secret of the next
generation is a MAC over the one before, so whoever presents the same token twice gets the same successor, although
only hashes are stored. A family keeps the key of its first token.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from ostiary.core.accounts.accounts import Status
from ostiary.core.keys.ring import Keyring, framed, purpose
from ostiary.core.tokens.settings import LONGEST_REFRESH
from ostiary.core.tokens.store import FamilyRow
from ostiary.kernel.secret import Secret

REFRESH: Final = purpose(
    "refresh", "Makes the tags and the successors of refresh tokens.", kept_for=LONGEST_REFRESH
)
_TOKEN: Final = re.compile(
    rb"([0-9a-hjkmnp-tv-z]{26})\.(0|[1-9][0-9]{0,8})\.([A-Za-z0-9_-]{43})\.(([A-Za-z0-9_-]{1,32})\.[A-Za-z0-9_-]{43})"
)


@dataclass(frozen=True, slots=True)
class Presented:
    """A token that we made, which says nothing about whether it is still good.

    Attributes:
        key_id: The key of its family.
    """

    family: str
    generation: int
    secret: Secret
    key_id: str

    @property
    def hash(self) -> bytes:
        """What the database keeps of it."""
        return hash_of(self.family, self.generation, self.secret)


def hash_of(family: str, generation: int, secret: Secret) -> bytes:
    """What the database keeps of a secret of 256 bits; that much chance needs no slow hash."""
    return hashlib.sha256(framed("refresh", family, str(generation), secret.reveal_bytes())).digest()


def write(ring: Keyring, made: Presented) -> Secret:
    """The token as its holder gets it."""
    parts = (made.family, str(made.generation), made.secret.reveal())
    tag = ring.mac(REFRESH, "tag", *parts, key_id=made.key_id)
    return Secret(".".join((*parts, tag)))


def first(ring: Keyring, family: str, secret: Secret) -> Presented:
    """The first generation of a family."""
    return Presented(family, 0, secret, ring.current(REFRESH).id)


def read(ring: Keyring, token: Secret) -> Presented | None:
    """A token of ours; None for anything else, found without a look into the database."""
    match = _TOKEN.fullmatch(token.reveal_bytes())
    if match is None:
        return None
    family, generation, secret, tag, key_id = (part.decode() for part in match.groups())
    if not ring.check_mac(REFRESH, tag, "tag", family, generation, secret):
        return None
    return Presented(family, int(generation), Secret(secret), key_id)


def successor(ring: Keyring, presented: Presented) -> Presented:
    """The next generation: always the same one for the same token."""
    made = ring.mac(
        REFRESH,
        "successor",
        presented.family,
        str(presented.generation),
        presented.secret.reveal(),
        key_id=presented.key_id,
    )
    secret = Secret(made.partition(".")[2])
    return Presented(presented.family, presented.generation + 1, secret, presented.key_id)


class Verdict(Enum):
    """What a presented token is."""

    GOOD = auto()  # the present one, and everything holds
    REPLAYED = auto()  # the one before, within the grace: its holder did not hear the answer, or asked twice
    REUSED = auto()  # an older one, or too late: somebody else has used it
    ENDED = auto()
    EXPIRED = auto()


def judge(presented: bytes, row: FamilyRow, now: int, grace: int, *, needs_proof: bool) -> Verdict:
    """What a token is whose tag is right and whose family is there.

    Args:
        presented: Its hash.
        row: Its family.
        now: UTC microseconds.
        grace: Microseconds.
        needs_proof: Nobody may be signed in before the address is proven.
    """
    is_barred = row.status != Status.ACTIVE or row.epoch != row.session_epoch
    if row.session_ended_at is not None or is_barred or (needs_proof and row.verified_at is None):
        return Verdict.ENDED
    if now >= row.expires_at:
        return Verdict.EXPIRED
    if now >= row.session_times_out_at:
        return Verdict.ENDED
    if Secret(row.current_hash).matches(presented):
        return Verdict.GOOD
    is_previous = row.previous_hash is not None and Secret(row.previous_hash).matches(presented)
    return Verdict.REPLAYED if is_previous and now < row.rotated_at + grace else Verdict.REUSED
