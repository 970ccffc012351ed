"""L20: whatever the facts, nothing proven opens nothing, and a factor that is enrolled or needed is never passed by."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ostiary.core.signin.steps import Ask, Complete, Enrol, Facts, Policy, Refuse, next_step
from ostiary.core.signin.ways import Proof
from ostiary.kernel.world import from_micros

NAMES = st.sampled_from(["password", "link", "word", "sign", "mail_code"])
PROOFS = st.builds(
    Proof,
    method=st.sampled_from(["pwd", "otp", "email", "hwk"]),
    at=st.integers(0, 2**50).map(from_micros),
    by=NAMES,
    is_multi_factor=st.just(False),
    mailbox=st.none() | st.sampled_from(["a@example.com", "b@example.com"]),
)
FACTORS = st.lists(NAMES, unique=True, max_size=3).map(tuple)
MOMENTS = st.integers(0, 3).map(from_micros)
FACTS = st.builds(
    Facts,
    is_active=st.booleans(),
    is_email_verified=st.booleans(),
    proofs=st.lists(PROOFS, max_size=4).map(tuple),
    factors=FACTORS,
    now=MOMENTS,
    needs_factor_from=st.none() | MOMENTS,
    enrollable=st.sampled_from([(), ("word",)]),
    trusted_device=st.none() | st.just("device"),
)
POLICIES = st.builds(Policy, require_verified_email=st.booleans())


@given(FACTS, POLICIES)
def test_no_proof_never_completes(facts: Facts, policy: Policy) -> None:
    """Without a proof, for an account that may not be used, or unverified where it must be: refused."""
    step = next_step(facts, policy)
    barred = not facts.is_active or (policy.require_verified_email and not facts.is_email_verified)
    if not facts.proofs or barred:
        assert isinstance(step, Refuse)


@given(FACTS, FACTORS.filter(bool), PROOFS, POLICIES, st.integers(1, 3))
def test_one_proof_never_completes_with_a_factor(
    facts: Facts, factors: tuple[str, ...], proof: Proof, policy: Policy, times: int
) -> None:
    """One thing shown, however often, is not enough where a factor is enrolled; nor is one mailbox shown twice."""
    again = Facts(facts.is_active, facts.is_email_verified, (proof,) * times, factors, facts.now)
    assert not isinstance(next_step(again, policy), Complete)
    if proof.mailbox:
        by_mail = tuple(
            Proof(proof.method, proof.at, name, mailbox=proof.mailbox) for name in ("link", "mail_code")
        )
        twice = Facts(facts.is_active, facts.is_email_verified, by_mail, factors, facts.now)
        assert not isinstance(next_step(twice, policy), Complete)


@given(FACTS, POLICIES)
def test_a_needed_factor_is_shown_or_added(facts: Facts, policy: Policy) -> None:
    """Once the grace is over nothing completes with less; before, the session may not outlast it.

    Adding one is only offered to who has none, so that a password adds none beside the owner's.
    """
    step = next_step(facts, policy)
    if isinstance(step, Complete) and facts.needs_factor_from is not None:
        is_let_off = step.acr == "2" or step.trusted_device is not None
        assert is_let_off or facts.now < facts.needs_factor_from
        assert step.until == (None if is_let_off else facts.needs_factor_from)
    if isinstance(step, Enrol):
        assert not facts.factors
        assert facts.proofs
        assert facts.needs_factor_from is not None
        assert facts.now >= facts.needs_factor_from


@given(FACTS, POLICIES)
def test_two_factors_are_claimed_only_for_two(facts: Facts, policy: Policy) -> None:
    """`acr` 2 and `mfa` need two different ways; what is asked for is enrolled and not yet shown."""
    step = next_step(facts, policy)
    shown = {proof.by for proof in facts.proofs}
    if isinstance(step, Complete):
        assert (step.acr == "2") == ("mfa" in step.amr)
        assert step.acr == "1" or len(shown) > 1
        assert step.acr == "2" or not facts.factors or step.trusted_device is not None
    if isinstance(step, Ask):
        assert step.factors
        assert set(step.factors) <= set(facts.factors) - shown


@given(FACTS, POLICIES)
def test_trust_shows_nothing(facts: Facts, policy: Policy) -> None:
    """A trusted device changes one thing: who has shown one factor is asked for no other, and the session says one."""
    with_it = next_step(replace(facts, trusted_device="device"), policy)
    without = next_step(replace(facts, trusted_device=None), policy)
    if with_it != without:
        assert isinstance(without, Ask) or (
            isinstance(without, Refuse) and without.reason.startswith("no enrolled")
        )
        assert facts.proofs
        assert facts.factors
        assert isinstance(with_it, Complete)
        assert (with_it.acr, "mfa" in with_it.amr) == ("1", False)
    assert isinstance(with_it, Complete) or with_it == without
