"""Owns backup codes as a factor that stands in for another one, and the making of a set."""

from collections.abc import Sequence
from typing import Final

from ostiary.core.change import Change
from ostiary.core.passwords.hasher import Passwords
from ostiary.core.signin.ways import Enrolled, Issue, Proof, Proven, Spare
from ostiary.features.backup_codes import code as codes
from ostiary.features.backup_codes import store
from ostiary.features.backup_codes.code import BackupCode
from ostiary.features.backup_codes.settings import BackupCodeSettings
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World, from_micros
from ostiary.storage.database import Reads

ISSUED: Final = EventType(
    "backup_codes_issued",
    "Backup codes were made along with a first second factor.",
    fields=("count",),
    words="Backup codes were made for you: {count}.",
)
REPLACED: Final = EventType(
    "backup_codes_replaced",
    "New backup codes replaced all older ones.",
    Severity.NOTICE,
    ("count",),
    ends_trust=True,
    tell_owner=True,
    at_every_address=True,
    words="New backup codes took the place of all older ones.",
)
USED: Final = EventType(
    "backup_code_used",
    "A backup code was used; `few`: so few remain that new ones should be made.",
    Severity.WARNING,
    ("remaining", "few"),
    tell_owner=True,
    at_every_address=True,
    words="A backup code was used; left: {remaining}.",
)
EVENTS: Final = (ISSUED, REPLACED, USED)
METHOD: Final = "otp"  # RFC 8176 has no nearer value

# A code and its hash.
Hashed = tuple[BackupCode, str]


class BackupCodes(Spare):
    """Codes on paper.

    Args:
        world: Clock and chance.
        passwords: Hashes them as it hashes passwords.
        settings: How many there are.
    """

    name = "backup_code"
    label = "Backup code"
    is_digits = False

    def __init__(self, world: World, passwords: Passwords, settings: BackupCodeSettings) -> None:
        self._world = world
        self._passwords = passwords
        self._settings = settings

    async def is_enrolled(self, reads: Reads, account_id: str) -> bool:
        """Whether a code is left."""
        return bool(await reads.one(store.REMAINING, of_account=account_id))

    async def prove(self, reads: Reads, account_id: str, answer: Secret, attempt_id: str) -> Proven | None:
        """Try the one code whose number was typed; a number that is used or unknown costs the same hash."""
        typed = codes.read(answer.reveal())
        if typed is None:
            return None
        stored = await reads.one(store.HASH, of_account=account_id, of_number=typed.number)
        verdict = await self._passwords.verify(typed.bound(account_id), stored)
        if stored is None or not verdict.matches:
            return None
        return self._proven(account_id, typed.number, stored)

    def _proven(self, account_id: str, number: int, stored: str) -> Proven:
        async def take(change: Change) -> bool:
            used = await change.run(
                store.USE, of_account=account_id, of_number=number, of_hash=stored, now=change.micros
            )
            if not used:
                return False
            remaining = await change.one(store.REMAINING, of_account=account_id) or 0
            few = remaining <= self._settings.backup_code_warning
            await change.emit(USED(account_id, remaining=remaining, few=few))
            return True

        return Proven(Proof(METHOD, self._world.now(), self.name), take)

    async def listing(self, reads: Reads, account_id: str) -> list[Enrolled]:
        """The set as one; the codes themselves are not known here any more."""
        found = await reads.one(store.SET, of_account=account_id)
        if found is None or found.created_at is None:
            return []
        used = None if found.last_used_at is None else from_micros(found.last_used_at)
        return [Enrolled(self.name, "", "", from_micros(found.created_at), used, found.remaining)]

    async def remove_all(self, change: Change, account_id: str) -> bool:
        """Remove the set."""
        remaining = await change.one(store.REMAINING, of_account=account_id)
        await change.run(store.CLEAR, of_account=account_id)
        return bool(remaining)

    async def prepare(self, reads: Reads, account_id: str) -> Issue | None:
        """A set for an account that has none left."""
        if await self.is_enrolled(reads, account_id):
            return None
        made = await self.make(account_id)

        async def issue(change: Change) -> tuple[Secret, ...]:
            if await self.is_enrolled(change, account_id):
                return ()
            await change.emit(ISSUED(account_id, count=len(made)))
            return await self.put(change, account_id, made)

        return issue

    async def make(self, account_id: str) -> list[Hashed]:
        """A new set; no transaction is open.

        One hash after the other, so that a set holds one place in the hashing pool and not ten.

        Raises:
            Unavailable: the pool is full.
        """
        made = [
            codes.made_of(number, self._world.bytes(codes.BYTES))
            for number in range(self._settings.backup_code_count)
        ]
        return [(one, await self._passwords.hash(one.bound(account_id))) for one in made]

    async def put(self, change: Change, account_id: str, made: Sequence[Hashed]) -> tuple[Secret, ...]:
        """Let a set take the place of every older code.

        Returns:
            The codes, to be shown once.
        """
        await change.run(store.CLEAR, of_account=account_id)
        for one, hash_ in made:
            await change.run(
                store.ADD,
                account_id=account_id,
                number=one.number,
                hash=hash_,
                created_at=change.micros,
                used_at=None,
            )
        return tuple(one.shown for one, _ in made)
