"""Owns challenges: sealed state that the authenticator signs and the browser brings back. Nothing is stored.

What is signed is the sealed text itself. Each has 256 bits of chance in it, is good for one ceremony of one browser,
session or sign-in, for five minutes at most, and once: the change that uses it claims its id.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import orjson

from ostiary.core.change import Change
from ostiary.core.keys.ring import Keyring, purpose
from ostiary.core.once.once import Once, Use
from ostiary.core.tokens.settings import COOKIE, Delivery
from ostiary.features.passkeys.settings import LONGEST_LIFETIME
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World, from_micros, to_micros

CHALLENGES: Final = purpose("passkey", "Seals challenges that passkeys sign.", kept_for=timedelta(hours=1))
# What a challenge is for.
REGISTER: Final = "register"
SIGN_UP: Final = "sign_up"
ENROL: Final = "enrol"
SIGN_IN: Final = "sign_in"
FACTOR: Final = "factor"

_USE: Final = Use("passkey_challenge", LONGEST_LIFETIME)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What an authenticator is asked to sign.

    Attributes:
        id: Claimed once, when it is used.
        kind: What it is for.
        bound: To what: a hash of the browser's cookie, with the address that is registered if one is, a session's id, a
            sign-in's id; "" for what is sealed in a sign-in, and for a program that has asked for tokens, which keeps
            the challenge itself.
        account_id: Who is asked; "" while nobody knows.
        security_epoch: The account's.
        delivery: How a session will be handed out.
        handle: What a new passkey will call the account by, in base64url.
    """

    id: str
    kind: str
    bound: str
    expires_at: datetime
    account_id: str = ""
    security_epoch: int = 0
    delivery: Delivery = COOKIE
    handle: str = ""


def draw(
    world: World,
    kind: str,
    bound: str,
    lifetime: timedelta,
    *,
    account_id: str = "",
    security_epoch: int = 0,
    delivery: Delivery = COOKIE,
    handle: str = "",
) -> Challenge:
    """A new challenge."""
    return Challenge(
        world.token().reveal(),
        kind,
        bound,
        world.now() + lifetime,
        account_id,
        security_epoch,
        delivery,
        handle,
    )


def seal(ring: Keyring, challenge: Challenge) -> bytes:
    """The bytes to be signed."""
    document = [
        challenge.id,
        challenge.bound,
        to_micros(challenge.expires_at),
        challenge.account_id,
        challenge.security_epoch,
        challenge.delivery,
        challenge.handle,
    ]
    return ring.seal(CHALLENGES, orjson.dumps(document), challenge.kind).encode()


def unseal(ring: Keyring, raw: bytes, kind: str, bound: str, now: datetime) -> Challenge | None:
    """The challenge, if we sealed it for this and it has not expired."""
    plain = ring.open_sealed(CHALLENGES, raw.decode("ascii", "replace"), kind)
    if plain is None:
        return None
    challenge_id, bound_to, expires, account_id, epoch, delivery, handle = orjson.loads(plain)
    if now >= from_micros(expires) or not Secret(bound_to).matches(bound):
        return None
    return Challenge(challenge_id, kind, bound_to, from_micros(expires), account_id, epoch, delivery, handle)


async def claim(change: Change, once: Once, challenge: Challenge) -> bool:
    """Whether this is the first time that it is used."""
    return await once.claim(change, _USE, challenge.id, challenge.expires_at)
