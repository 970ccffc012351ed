"""Owns what comes of a step through the door: a session, or what is still needed."""

from dataclasses import dataclass

from ostiary.core.accounts.accounts import Account
from ostiary.core.sessions.sessions import Session
from ostiary.core.signin.enrolment import EnrolmentRequired
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
    """

    account: Account
    session: Session
    token: Secret
    spares: tuple[Secret, ...] = ()
    family: NewFamily | None = None
    tokens: Pair | None = None


@dataclass(frozen=True, slots=True)
class FactorRequired:
    """One of these factors is still needed."""

    attempt: str
    factors: tuple[str, ...]


Outcome = SignedIn | FactorRequired | EnrolmentRequired
