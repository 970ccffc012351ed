"""Owns the sealed attempt: what a sign-in has shown so far, carried by the client and readable only by us.

Nothing is stored while a factor is awaited. The attempt names one account and its epoch (L02): a reset, a disabled
account or another browser ends it. Completing claims its id, so it works once.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import orjson

from ostiary.core.keys.ring import Keyring, purpose
from ostiary.core.signin.ways import Proof
from ostiary.core.tokens.settings import COOKIE, TOKENS, Delivery
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import from_micros, to_micros

ATTEMPTS: Final = purpose(
    "attempt", "Seals sign-ins that wait for a second factor.", kept_for=timedelta(hours=1)
)
_MEMBERS: Final = 9  # of a sealed attempt


@dataclass(frozen=True, slots=True)
class Begun:
    """A factor that is being added at the door.

    Attributes:
        factor: Its name.
        drawn: From `Enrollable.draw`.
        label: What the account is called in it.
    """

    factor: str
    drawn: str
    label: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in under way.

    Attributes:
        id: Claimed once, when the sign-in completes.
        browser: Hash of the pre-session cookie that it is bound to. Begun for tokens it is bound to none: then the
            sealed attempt itself is what its holder has.
        begun: What is being added on the way, if anything is.
        delivery: How the session will be delivered; said at the beginning and never changed (L02).
    """

    id: str
    account_id: str
    security_epoch: int
    proofs: tuple[Proof, ...]
    is_remembered: bool
    browser: str
    expires_at: datetime
    begun: Begun | None = None
    delivery: Delivery = COOKIE


def browser_hash(pre_session: str) -> str:
    """What an attempt keeps of the cookie that it is bound to."""
    return hashlib.sha256(f"browser:{pre_session}".encode()).hexdigest()


def seal(ring: Keyring, attempt: Attempt) -> str:
    """The attempt as text for the client."""
    proofs = [
        [p.method, to_micros(p.at), p.by, p.is_multi_factor, p.mailbox, p.is_breached] for p in attempt.proofs
    ]
    document = [
        attempt.id,
        attempt.account_id,
        attempt.security_epoch,
        proofs,
        attempt.is_remembered,
        attempt.browser,
        to_micros(attempt.expires_at),
        [attempt.begun.factor, attempt.begun.drawn, attempt.begun.label] if attempt.begun else None,
        attempt.delivery,
    ]
    return ring.seal(ATTEMPTS, orjson.dumps(document))


def unseal(
    ring: Keyring, sealed: str, pre_session: str, now: datetime, delivery: Delivery = COOKIE
) -> Attempt | None:
    """The attempt, if we sealed it for this delivery, it belongs to this browser and it has not expired."""
    plain = ring.open_sealed(ATTEMPTS, sealed)
    if plain is None:
        return None
    document = orjson.loads(plain)
    if len(document) != _MEMBERS:
        return None  # sealed by another release, while servers are replaced one by one
    attempt_id, account_id, epoch, raw, is_remembered, browser, expires, begun, delivered = document
    if now >= from_micros(expires) or delivered != delivery:
        return None
    # One that is bound to no browser never becomes a cookie: somebody else's would sign a stranger's browser in.
    if delivery != TOKENS and not Secret(browser).matches(browser_hash(pre_session)):
        return None
    proofs = tuple(Proof(method, from_micros(at), *rest) for method, at, *rest in raw)
    return Attempt(
        attempt_id,
        account_id,
        epoch,
        proofs,
        is_remembered,
        browser,
        from_micros(expires),
        Begun(*begun) if begun else None,
        delivery,
    )
