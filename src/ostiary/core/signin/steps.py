"""Owns the decision what a sign-in still needs. Pure: facts and policy in, a step out.

The rules, in order:

1. Nothing proven, or an account that may not be used: refused like a wrong password.
2. An address that must be verified and is not: refused, and only now said (the proof was right).
3. Something so unusual that nobody is let in: refused, and the owner is told.
4. A second factor enrolled and not shown: asked for, unless one proof shows two factors at once, or the account trusts
   the device and nothing is unusual for which two factors are due. Trust shows nothing: the session says one factor.
5. Something unusual for which two factors are due, and none enrolled: refused, unless a mailbox was proven. One that
   is enrolled now would be the intruder's own.
6. No factor enrolled, one required and the grace over: one must be enrolled now, at the door.
7. Otherwise complete; a session with less than what is required ends with the grace.
"""

from dataclasses import dataclass
from datetime import datetime

from ostiary.core.accounts.accounts import EMAIL_NOT_VERIFIED, INVALID_CREDENTIALS
from ostiary.core.signin.watch import SUSPICIOUS, Measure
from ostiary.core.signin.ways import Proof
from ostiary.kernel.errors import Code

ONE_FACTOR = "1"
TWO_FACTORS = "2"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when the decision is made.

    Attributes:
        proofs: In the order in which they were given.
        factors: Names of the factors that the account has enrolled, in the order in which they are offered.
        now: When the decision is made.
        needs_factor_from: The account may not be without a factor from then on; None: it may for ever.
        enrollable: Names of the factors that can be enrolled at the door.
        by_mailbox: Those of all factors that prove a mailbox.
        caution: What is due for what is unusual about the sign-in.
        trusted_device: The id of a device that the account trusts with the second step, and that was proven to be it.
    """

    is_active: bool
    is_email_verified: bool
    proofs: tuple[Proof, ...]
    factors: tuple[str, ...]
    now: datetime
    needs_factor_from: datetime | None = None
    enrollable: tuple[str, ...] = ()
    by_mailbox: frozenset[str] = frozenset()
    caution: Measure = Measure.ALLOW
    trusted_device: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What the deployment demands.

    Attributes:
        require_verified_email: Nobody gets in before an address is proven.
    """

    require_verified_email: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """One of these factors is needed."""

    factors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Enrol:
    """One of these factors must be added first."""

    factors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Complete:
    """Everything is shown.

    Attributes:
        until: The session may not last longer; None: as long as any.
        trusted_device: Spared the asking for a second factor.
    """

    amr: tuple[str, ...]
    acr: str
    until: datetime | None = None
    trusted_device: str | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """It ends here.

    Attributes:
        counted: Whether it counts as a failed guess.
    """

    code: Code
    reason: str
    counted: bool = True


def next_step(facts: Facts, policy: Policy) -> Ask | Enrol | Complete | Refuse:
    """What the sign-in needs next."""
    if barred := _barred(facts, policy):
        return barred
    shown = {proof.by for proof in facts.proofs}
    # Two proofs by one mailbox are one: whoever reads it has both.
    sources = {proof.mailbox or proof.by for proof in facts.proofs}
    has_two = min(len(shown), len(sources)) > 1 or any(proof.is_multi_factor for proof in facts.proofs)
    is_spared = facts.trusted_device is not None and facts.caution is not Measure.ASK
    if facts.factors and not (has_two or is_spared):
        spent = shown | (facts.by_mailbox if any(proof.mailbox for proof in facts.proofs) else frozenset())
        missing = tuple(name for name in facts.factors if name not in spent)
        if not missing:
            return Refuse(INVALID_CREDENTIALS, "no enrolled factor adds anything to what was shown")
        return Ask(missing)
    if facts.caution is Measure.ASK and not has_two and not any(proof.mailbox for proof in facts.proofs):
        return Refuse(SUSPICIOUS, "unusual, and no second factor enrolled", counted=False)
    until = None if has_two or facts.factors else facts.needs_factor_from
    if until is not None and facts.now >= until:
        return Enrol(facts.enrollable)
    methods = tuple(dict.fromkeys(proof.method for proof in facts.proofs))
    amr = (*methods, "mfa") if has_two else methods
    spared_by = facts.trusted_device if facts.factors and not has_two else None
    return Complete(amr, TWO_FACTORS if has_two else ONE_FACTOR, until, spared_by)


def _barred(facts: Facts, policy: Policy) -> Refuse | None:
    """The rules by which nothing more that is shown would help."""
    if not facts.proofs or not facts.is_active:
        reason = "the account may not be used" if facts.proofs else "nothing was proven"
        return Refuse(INVALID_CREDENTIALS, reason)
    if policy.require_verified_email and not facts.is_email_verified:
        return Refuse(EMAIL_NOT_VERIFIED, "the address is not verified", counted=False)
    if facts.caution is Measure.REFUSE:
        return Refuse(SUSPICIOUS, "unusual", counted=False)
    return None
