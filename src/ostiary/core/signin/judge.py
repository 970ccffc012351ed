"""Owns the gathering of facts for the decision at the door, in the change that acts on it."""

from typing import Final

from ostiary.core.accounts.accounts import Account
from ostiary.core.change import Change
from ostiary.core.signin.entry import Entry
from ostiary.core.signin.factors import Factors
from ostiary.core.signin.steps import Ask, Complete, Enrol, Facts, Policy, Refuse, next_step
from ostiary.core.signin.ways import Proof


class Judge:
    """Reads fresh facts and has `next_step` decide on them.

    Args:
        factors: Every factor of this engine.
        policy: What the deployment demands.
    """

    def __init__(self, factors: Factors, policy: Policy) -> None:
        self._factors = factors
        self.policy: Final = policy

    async def step(
        self, change: Change, entry: Entry, account: Account, proofs: tuple[Proof, ...]
    ) -> Ask | Enrol | Complete | Refuse:
        """What the sign-in of an account, whose row is locked, needs next."""
        facts = Facts(
            account.is_active,
            account.is_email_verified,
            proofs,
            await self._factors.enrolled(change, account.id),
            change.now,
            await self._factors.requirement.begin(change, account.id),
            tuple(self._factors.enrollable),
            self._factors.by_mailbox,
        )
        return next_step(facts, self.policy)
