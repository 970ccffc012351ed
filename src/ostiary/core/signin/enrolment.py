"""Owns adding a factor at the door: what is drawn travels in the sealed attempt, and its first right answer stores it.

Only an account without a factor can do it. Otherwise whoever has the password could add one beside the owner's.
"""

from dataclasses import dataclass
from typing import Any, Final

from ostiary.core.accounts.accounts import Account
from ostiary.core.change import Change
from ostiary.core.signin.attempt import Attempt, Begun
from ostiary.core.signin.factors import Factors
from ostiary.core.signin.ways import Issue, Proven, Showing
from ostiary.kernel.errors import Refused, code
from ostiary.kernel.events import EventType
from ostiary.kernel.secret import Secret
from ostiary.storage.database import Reads

NOT_HERE: Final = code(
    "enrolment_refused",
    409,
    "No second step can be added here.",
    "The sign-in does not wait for a factor to be added, this one cannot be added at the door, or another request "
    "added one meanwhile.",
)
ASKED: Final = EventType(
    "sign_in_enrolment_asked",
    "A first proof was right; a factor must be added before the sign-in can go on.",
    fields=("method", "factors"),
    words="A sign-in got past its first step; a second one had to be added.",
)
EVENTS: Final = (ASKED,)


@dataclass(frozen=True, slots=True)
class EnrolmentRequired:
    """One of these factors must be added before the sign-in can go on."""

    attempt: str
    factors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody needs who adds a factor.

    Attributes:
        attempt: The sealed attempt that the first answer belongs to.
        shown: By name; never to be stored or logged.
    """

    attempt: str
    factor: str
    shown: Showing

    def plain(self) -> dict[str, Any]:
        """As it is handed out."""
        return {
            name: value.reveal() if isinstance(value, Secret) else value for name, value in self.shown.items()
        }


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A factor whose first answer was right.

    Attributes:
        prepared: Spares that come along.
    """

    factor: str
    proven: Proven
    prepared: tuple[Issue, ...]


class Enrolments:
    """What the door does with factors that are being added.

    Args:
        factors: Every factor of this engine.
    """

    def __init__(self, factors: Factors) -> None:
        self._factors = factors
        self.names: Final = tuple(factors.enrollable)

    def begin(self, account: Account, name: str) -> Begun:
        """Draw what a new factor is made of.

        Raises:
            Refused: `enrolment_refused`.
        """
        found = self._factors.enrollable.get(name)
        if found is None:
            raise Refused(NOT_HERE, "no factor that can be added at the door", counted=False)
        return Begun(name, found.draw(), account.label)

    def show(self, begun: Begun) -> Showing:
        """What its owner needs."""
        return self._factors.enrollable[begun.factor].show(begun.drawn, begun.label)

    async def prove(self, reads: Reads, attempt: Attempt, name: str, answer: Secret) -> Enrolment | None:
        """The factor that the attempt adds, if the answer is right. May hash: no transaction is open."""
        begun = attempt.begun
        if begun is None or begun.factor != name:
            return None
        proven = self._factors.enrollable[name].confirm(attempt.account_id, begun.drawn, answer)
        if proven is None:
            return None
        return Enrolment(name, proven, tuple(await self._factors.prepare(reads, attempt.account_id)))

    async def hold(self, change: Change, account_id: str) -> None:
        """Demand, with the account's row locked, that it still has no factor.

        Raises:
            Refused: `enrolment_refused`.
        """
        if await self._factors.own(change, account_id):
            raise Refused(NOT_HERE, "the account has a factor by now", counted=False)

    async def store(self, change: Change, account_id: str, enrolment: Enrolment) -> tuple[Secret, ...]:
        """After the proof was taken: spares, to be shown once, and the event."""
        return await self._factors.issued(change, account_id, enrolment.factor, "", enrolment.prepared)
