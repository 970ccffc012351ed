"""Owns the way in by password."""

from dataclasses import dataclass

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import EMAIL_NOT_VERIFIED, Status
from ostiary.core.accounts.address import find_email
from ostiary.core.accounts.claims import claims
from ostiary.core.accounts.store import Found
from ostiary.core.change import Change
from ostiary.core.passwords.hasher import Passwords
from ostiary.core.signin.ways import Candidate, Proof, Proven
from ostiary.kernel.errors import Refused
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.storage.database import Reads


@dataclass(frozen=True, slots=True)
class Submission:
    """What was typed."""

    identifier: str
    password: Secret


@dataclass(frozen=True, slots=True)
class _Carried:
    found: Found | None
    waiting: str | None


class PasswordWay:
    """Proves an account by its password.

    Every failure costs the same queries and two hashes, whether the account exists, has a password, is disabled, waits
    for its proof or neither (L16): one for the account's password and one for that of a registration that waits.

    Args:
        asks_breaches: Whether anybody wants to know that a right password is known from a breach.
    """

    name = "password"

    def __init__(self, world: World, passwords: Passwords, *, asks_breaches: bool = False) -> None:
        self._world = world
        self._passwords = passwords
        self._asks_breaches = asks_breaches

    async def identify(self, reads: Reads, submission: Submission) -> Candidate:
        """Look the identifier up, and what waits to be proven under it."""
        address = find_email(submission.identifier)  # read once: it costs more than the query
        found, waiting = await claims.find(reads, address, self._world.micros())
        return Candidate(
            accounts.canonical_subject(found, submission.identifier, address),
            found.account_id if found else None,
            found.security_epoch if found else 0,
            carried=_Carried(found, waiting),
        )

    async def prove(self, reads: Reads, candidate: Candidate, submission: Submission) -> Proven | None:
        """Check the password; hash it anew when its stored hash is out of date.

        Raises:
            Refused: `email_not_verified`; it is the password of a registration that waits. Whether the address is
                free or taken makes no difference to that answer.
        """
        found = candidate.carried.found
        verdict = await self._passwords.verify(submission.password, found.password_hash if found else None)
        # Strangers' failures disable a password; whoever signed in from this browser before is not shut out by them.
        is_known = candidate.is_known_browser
        if found is None or not (verdict.matches and _may_be_used(found, is_known)):
            waiting = await self._passwords.verify(submission.password, candidate.carried.waiting)
            if waiting.matches:
                # Counted: for the account, if there is one, it is wrong, and who guesses could plant guesses.
                raise Refused(EMAIL_NOT_VERIFIED, "a registration waits for its proof")
            return None
        old = found.password_hash or ""
        new = await self._passwords.hash(submission.password) if verdict.rehash else None

        async def take(change: Change) -> bool:
            if not await accounts.may_use_password(change, found.account_id, ignores_disabling=is_known):
                return False
            if new is not None:
                await accounts.rehash(change, found.account_id, old, new)
            return True

        is_breached = self._asks_breaches and await self._passwords.is_breached(submission.password)
        return Proven(Proof("pwd", self._world.now(), self.name, is_breached=is_breached), take)


def _may_be_used(found: Found, is_known_browser: bool) -> bool:
    return found.status == Status.ACTIVE and (found.password_disabled_at is None or is_known_browser)
