"""Owns the gathering of facts for the decision at the door, in the change that acts on it."""

from dataclasses import replace
from typing import Final

from ostiary.core.change import Change
from ostiary.core.signin.entry import Entry
from ostiary.core.signin.factors import Factors
from ostiary.core.signin.steps import Ask, Complete, Enrol, Facts, Policy, Refuse, next_step
from ostiary.core.signin.trust import Trust
from ostiary.core.signin.watch import NO_CAUTION, Caution, Seen, Watch


class Judge:
    """Reads fresh facts and has `next_step` decide on them.

    Args:
        factors: Every factor of this engine.
        policy: What the deployment demands.
        trust: Which browsers are trusted with the second step.
        watch: Says what is unusual; None: nothing is.
    """

    def __init__(self, factors: Factors, policy: Policy, trust: Trust, watch: Watch | None) -> None:
        self._factors = factors
        self._trust = trust
        self.policy: Final = policy
        self.watch: Final = watch

    async def step(
        self, change: Change, entry: Entry, seen: Seen
    ) -> tuple[Ask | Enrol | Complete | Refuse, Caution]:
        """What the sign-in of an account, whose row is locked, needs next, and what is unusual about it."""
        account = seen.account
        caution = NO_CAUTION
        if self.watch is not None and account.is_active:
            caution = await self.watch.look(change, seen)
        facts = Facts(
            account.is_active,
            account.is_email_verified,
            seen.proofs,
            await self._factors.enrolled(change, account.id),
            change.now,
            await self._factors.requirement.begin(change, account.id),
            tuple(self._factors.enrollable),
            self._factors.by_mailbox,
            caution.measure,
        )
        step = next_step(facts, self.policy)
        if facts.factors and not isinstance(step, Complete):
            trusted = await self._trust.find(change, entry, account)
            step = next_step(replace(facts, trusted_device=trusted), self.policy)
        return step, caution
