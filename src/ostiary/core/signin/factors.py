"""Owns what happens around every second factor, whatever its kind: who has which, adding, removing, resetting.

A rib that has a factor stores it and judges its answers. What must be the same for all of them happens here, in the
change that the rib makes: the sign-in must be fresh and show all that the account can show, a session that rises gets
another id, the first factor brings spares along, the last one takes them away, and the owner is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import Account
from ostiary.core.accounts.claims.claims import Enclosed
from ostiary.core.change import Change
from ostiary.core.sessions.sessions import Session, Sessions
from ostiary.core.signin.requirement import Requirement
from ostiary.core.signin.steps import TWO_FACTORS
from ostiary.core.signin.ways import Enrollable, Enrolled, Factor, Issue, Joinable, Spare
from ostiary.core.throttle.limits import Window
from ostiary.kernel.errors import FRESH_REQUIRED, SESSION_ENDED, Misuse, Refused, code
from ostiary.kernel.events import Event, EventType, Severity
from ostiary.kernel.principal import Principal
from ostiary.kernel.secret import Secret
from ostiary.kernel.settings import Rate
from ostiary.storage.database import Reads

FACTOR_NEEDED: Final = code(
    "factor_needed",
    409,
    "A second factor is required here.",
    "The account may not be without a second factor: add another one before removing this one.",
)
ADDED: Final = EventType(
    "factor_added",
    "A second factor was added to an account; `factor` is its kind, `spares` how many backup codes came along.",
    Severity.NOTICE,
    ("factor", "name", "spares"),
    tell_owner=True,
    at_every_address=True,
    words="A second step was added: {factor}.",
)
REMOVED: Final = EventType(
    "factor_removed",
    "A second factor was removed; `left` are the kinds that the account still has.",
    Severity.WARNING,
    ("factor", "name", "left"),
    ends_trust=True,
    tell_owner=True,
    at_every_address=True,
    words="A second step was removed: {factor}.",
)
RESET: Final = EventType(
    "factors_reset",
    "An operator removed every second factor of an account; its sessions end.",
    Severity.WARNING,
    ("factors",),
    ends_sessions=True,
    ends_trust=True,
    tell_owner=True,
    at_every_address=True,
    words="All your second steps were removed.",
)
EVENTS: Final = (ADDED, REMOVED, RESET)


@dataclass(frozen=True, slots=True)
class Added:
    """What adding a factor brought.

    Attributes:
        spares: To be shown to the owner once; empty unless new ones were made.
        renewed: The session under another id, and its token for the cookie; None when it has not risen.
    """

    spares: tuple[Secret, ...]
    renewed: tuple[Session, Secret] | None


def refuse_unless_two_factors(who: Principal) -> None:
    """Demand a sign-in that showed two factors.

    Raises:
        Refused: `fresh_authentication_required`, with `acr_values` (RFC 9470).
    """
    if who.acr != TWO_FACTORS:
        raise Refused(FRESH_REQUIRED, "the second factor was not shown", details={"acr_values": TWO_FACTORS})


class Factors:
    """Every factor of this engine.

    Args:
        sessions: Whose level and freshness is judged, and which rise.
        factors: Those that stand on their own, in the order in which they are offered.
        spares: Those that only stand in for them; offered last.
        requirement: Of whom one is required.
        failures_per_network: How many wrong answers a network has, at the door and wherever else factors are tried.
    """

    def __init__(
        self,
        sessions: Sessions,
        factors: Sequence[Factor],
        spares: Sequence[Spare],
        requirement: Requirement,
        failures_per_network: Rate,
    ) -> None:
        self._sessions = sessions
        self._own = tuple(factors)
        self._spares = tuple(spares)
        self.requirement = requirement
        self.window: Final = Window("factor", failures_per_network, failures_only=True)
        self.by_name: Final[Mapping[str, Factor]] = {one.name: one for one in (*factors, *spares)}
        self.by_mailbox: Final = frozenset(name for name, one in self.by_name.items() if one.proves_mailbox)
        self.enrollable: Final[Mapping[str, Enrollable]] = {
            one.name: one for one in factors if isinstance(one, Enrollable)
        }
        self.joinable: Final[Mapping[str, Joinable]] = {
            one.name: one for one in factors if isinstance(one, Joinable)
        }
        if len(self.by_name) != len(factors) + len(spares):
            raise Misuse("two factors have the same name")
        if requirement.is_on and not self.enrollable:
            raise Misuse("require_factor: no feature has a factor that can be added while signing in")

    async def own(self, reads: Reads, account_id: str) -> tuple[str, ...]:
        """Names of the enrolled factors that stand on their own."""
        return tuple([one.name for one in self._own if await one.is_enrolled(reads, account_id)])

    async def enrolled(self, reads: Reads, account_id: str) -> tuple[str, ...]:
        """Names of all factors that this account can be asked for, in the order in which they are offered."""
        own = await self.own(reads, account_id)
        if not own:
            return ()
        spares = [one.name for one in self._spares if await one.is_enrolled(reads, account_id)]
        return (*own, *spares)

    async def find(self, reads: Reads, account_id: str, name: str) -> Factor | None:
        """The factor of that name if this account can be asked for it."""
        found = self.by_name.get(name)
        return found if found and name in await self.enrolled(reads, account_id) else None

    async def listing(self, reads: Reads, account_id: str) -> list[Enrolled]:
        """What an account has enrolled, for its owner."""
        names = await self.enrolled(reads, account_id)
        return [item for name in names for item in await self.by_name[name].listing(reads, account_id)]

    async def is_last(self, reads: Reads, account_id: str) -> bool:
        """Whether one thing alone is enrolled that stands on its own: without it there is no second step."""
        names = await self.own(reads, account_id)
        return len(names) == 1 and len(await self.by_name[names[0]].listing(reads, account_id)) == 1

    async def must_stay(self, reads: Reads, account_id: str) -> bool:
        """Whether the account has the last one, and may not be without."""
        return await self.is_last(reads, account_id) and await self.requirement.concerns(reads, account_id)

    async def require(self, reads: Reads, who: Principal) -> None:
        """Demand a fresh sign-in that shows all that the account can show, for whatever guards it (ASVS 7.5.1).

        Raises:
            Refused: `fresh_authentication_required`.
        """
        self._sessions.require_fresh(who)
        await self.require_level(reads, who)

    async def require_level(self, reads: Reads, who: Principal) -> None:
        """Demand a sign-in, of whatever age, that showed all that the account can show.

        A session from before the first factor, or one that was let off the second, has not shown enough (S-A21).

        Raises:
            Refused: `fresh_authentication_required`, with `acr_values` (RFC 9470).
        """
        if who.acr != TWO_FACTORS and await self.own(reads, who.account_id):
            refuse_unless_two_factors(who)

    async def hold(self, change: Change, who: Principal) -> Account:
        """The same in the change, with the account's row locked and the session still alive.

        Raises:
            Refused: `fresh_authentication_required`, `session_ended` or `invalid_credentials`.
        """
        account = await accounts.lock_active(change, who.account_id)
        # A reset that came first has ended the session; what it was asked to do must not survive the reset.
        if not await self._sessions.is_live(change, who):
            raise Refused(SESSION_ENDED, "ended before its change")
        await self.require(change, who)
        return account

    async def prepare(self, reads: Reads, account_id: str) -> list[Issue]:
        """What goes with a factor that is about to be added; may hash, so no transaction is open."""
        made = [await spare.prepare(reads, account_id) for spare in self._spares]
        return [issue for issue in made if issue is not None]

    async def added(
        self,
        change: Change,
        who: Principal,
        factor: str,
        name: str,
        method: str,
        prepared: Sequence[Issue],
        *,
        rises: bool = True,
    ) -> Added:
        """After a factor was stored and proven, in the same change, held by `hold`.

        Args:
            factor: Its kind.
            name: What its owner calls it.
            method: How it was proven just now (RFC 8176); the session rises by it.
            prepared: From `prepare`.
            rises: Whether the session goes on under another id, with both proofs. One that is held by tokens cannot:
                nobody would get its new id. It stays what it is.

        Raises:
            Refused: `session_ended`.
        """
        spares = await self.issued(change, who.account_id, factor, name, prepared)
        if who.acr == TWO_FACTORS or not rises:
            return Added(spares, None)
        amr = (*dict.fromkeys((*who.amr, method, "mfa")),)
        renewed = await self._sessions.renew(change, who, amr=amr, acr=TWO_FACTORS)
        if renewed is None:
            raise Refused(SESSION_ENDED, "ended before its change")
        return Added(spares, renewed)

    async def issued(
        self, change: Change, account_id: str, factor: str, name: str, prepared: Sequence[Issue]
    ) -> tuple[Secret, ...]:
        """The part of `added` that is the same at the door, where there is no session yet: spares, and the event."""
        spares = tuple([secret for issue in prepared for secret in await issue(change)])
        await change.emit(ADDED(account_id, factor=factor, name=name, spares=len(spares)))
        return spares

    async def join(self, change: Change, event: Event) -> None:
        """Reaction to `email_verified`: what was made while registering is the account's once that is redeemed (L10).

        Spares come along at its first sign-in: who redeems a link may sit elsewhere, and is not signed in.
        """
        enclosed, account_id = event.carried, event.account_id or ""
        if isinstance(enclosed, Enclosed) and (factor := self.joinable.get(enclosed.factor)):
            name = await factor.join(change, account_id, enclosed.made)
            await self.issued(change, account_id, enclosed.factor, name, ())

    async def missing_from(self, reads: Reads, account_id: str) -> datetime | None:
        """From when on an account needs a factor that it does not have yet; None when it lacks nothing."""
        needed_from = await self.requirement.needed_from(reads, account_id)
        return None if needed_from is None or await self.own(reads, account_id) else needed_from

    async def removed(self, change: Change, account_id: str, factor: str, name: str) -> None:
        """After a factor was removed, in the same change, held by `hold`.

        Raises:
            Refused: `factor_needed`.
        """
        left = await self.own(change, account_id)
        if not left:
            # During the grace, too: what is there already stays.
            if await self.requirement.concerns(change, account_id):
                raise Refused(FACTOR_NEEDED, "the last factor of an account that needs one", counted=False)
            for spare in self._spares:
                await spare.remove_all(change, account_id)
        await change.emit(REMOVED(account_id, factor=factor, name=name, left=list(left)))

    async def void(self, change: Change, event: Event) -> None:
        """Reaction to `credentials_voided`: whoever set factors up had not proven the mailbox (L10)."""
        for factor in self.by_name.values():
            await factor.remove_all(change, event.account_id or "")

    async def reset(self, change: Change, account_id: str) -> tuple[str, ...]:
        """Remove every factor of an account whose owner has lost them; for operators.

        Returns:
            The kinds that it had.
        """
        await accounts.lock(change, account_id)  # whatever sign-in is being decided now is seen, and ended
        had = tuple([one.name for one in self.by_name.values() if await one.remove_all(change, account_id)])
        if had:
            await change.emit(RESET(account_id, factors=list(had)))
        return had
