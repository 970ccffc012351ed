"""Owns the way in by password."""

from dataclasses import dataclass

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import Status
from ostiary.core.accounts.store import Found
from ostiary.core.change import Change
from ostiary.core.passwords.hasher import Passwords
from ostiary.core.signin.ways import Candidate, Proof, Proven
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.storage.database import Reads


@dataclass(frozen=True, slots=True)
class Submission:
    """What was typed."""

    identifier: str
    password: Secret


class PasswordWay:
    """Proves an account by its password.

    Every submission costs one query and one hash, whether the account exists, has a password, is disabled or neither.
    """

    name = "password"

    def __init__(self, world: World, passwords: Passwords) -> None:
        self._world = world
        self._passwords = passwords

    async def identify(self, reads: Reads, submission: Submission) -> Candidate:
        """Look the identifier up."""
        found = await accounts.find(reads, submission.identifier)
        return Candidate(
            accounts.canonical_subject(found, submission.identifier),
            found.account_id if found else None,
            found.security_epoch if found else 0,
            carried=found,
        )

    async def prove(self, reads: Reads, candidate: Candidate, submission: Submission) -> Proven | None:
        """Check the password; hash it anew when its stored hash is out of date."""
        found: Found | None = candidate.carried
        verdict = await self._passwords.verify(submission.password, found.password_hash if found else None)
        if found is None or found.password_hash is None or not verdict.matches:
            return None
        if found.status != Status.ACTIVE or found.password_disabled_at is not None:
            return None
        proof = Proof("pwd", self._world.now(), self.name)
        if not verdict.rehash:
            return Proven(proof)
        old, new = found.password_hash, await self._passwords.hash(submission.password)

        async def take(change: Change) -> bool:
            await accounts.rehash(change, found.account_id, old, new)
            return True

        return Proven(proof, take)
