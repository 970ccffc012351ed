"""Owns what comes of a step through the door: a session, or what is still needed."""

from dataclasses import dataclass
from datetime import timedelta

from ostiary.core.accounts.accounts import Account
from ostiary.core.sessions.sessions import Session
from ostiary.core.signin.enrolment import EnrolmentRequired
from ostiary.core.signin.trust import Trusted
from ostiary.core.tokens.tokens import NewFamily, Pair
from ostiary.kernel.secret import Secret


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The session exists.

    Attributes:
        token: Goes into the cookie and nowhere else; empty when the session is delivered as tokens.
        spares: Made on the way, to be shown this once.
        family: What its tokens are made from, unless a cookie delivers it.
        tokens: The first pair, signed once all that is durable.
        trusted: The browser is trusted with the second step from now on.
    """

    account: Account
    session: Session
    token: Secret
    spares: tuple[Secret, ...] = ()
    family: NewFamily | None = None
    tokens: Pair | None = None
    trusted: Trusted | None = None


@dataclass(frozen=True, slots=True)
class FactorRequired:
    """One of these factors is still needed.

    Attributes:
        trust_for: How long this browser can be spared that from then on, if whoever signs in wants it; None: it cannot.
    """

    attempt: str
    factors: tuple[str, ...]
    trust_for: timedelta | None = None


Outcome = SignedIn | FactorRequired | EnrolmentRequired
