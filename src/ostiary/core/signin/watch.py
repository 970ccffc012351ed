"""Owns the seam through which a rib watches the door: what it is told of a sign-in, and what it makes of it.

A watch reads and says; the door decides (`steps.next_step`) and reports. Without one nothing is unusual.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, Protocol

from ostiary.core.accounts.accounts import Account
from ostiary.core.mail.words import ENGLISH
from ostiary.core.signin.ways import Proof
from ostiary.kernel.errors import code
from ostiary.kernel.events import Event, EventType, Severity
from ostiary.kernel.origin import Origin
from ostiary.storage.database import Reads

SUSPICIOUS: Final = code(
    "sign_in_suspicious",
    403,
    "This sign-in is unusual, so nobody was let in. The account's owner has a mail that says how to go on.",
    "The proof was right, and something about the sign-in was so unusual that it was not enough. A second factor or a "
    "link by mail may be; a policy of `refuse` takes neither.",
)
SUSPICIOUS_LOGIN: Final = EventType(
    "suspicious_login",
    "Something about a sign-in with right proofs was unusual; `outcome` is what the strictest of its flags led to.",
    Severity.WARNING,
    ("flags", "reasons", "outcome", "method", "session_id"),
    words="Something about a sign-in was unusual: {reasons}.",
)
EVENTS: Final = (SUSPICIOUS_LOGIN,)


class Measure(IntEnum):
    """What is done about something unusual, the mildest first."""

    ALLOW = 0
    NOTIFY = 1
    ASK = 2
    REFUSE = 3


@dataclass(frozen=True, slots=True)
class Signal:
    """Something unusual about a sign-in.

    Attributes:
        name: As in the event's flags; `Words.reason` has its sentence.
        values: What fills that in.
    """

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """What is unusual, as a sentence in English."""
        return ENGLISH.reason(self.name, self.values)


@dataclass(frozen=True, slots=True)
class Caution:
    """What a watch makes of a sign-in.

    Attributes:
        signals: What is unusual about it, whatever is done about it.
        measure: The strictest that is due for one of them.
    """

    signals: tuple[Signal, ...] = ()
    measure: Measure = Measure.ALLOW

    def event(self, seen: "Seen", measure: Measure, method: str, session_id: str = "") -> Event:
        """The event about it.

        Args:
            measure: What was done.
            method: What was shown last.
            session_id: What it led to; "" when nobody was let in.
        """
        return SUSPICIOUS_LOGIN(
            seen.account.id,
            flags=[signal.name for signal in self.signals],
            reasons=[signal.reason for signal in self.signals],
            outcome=measure.name.lower(),
            method=method,
            session_id=session_id,
        ).carrying(self)


NO_CAUTION: Final = Caution()


@dataclass(frozen=True, slots=True)
class Seen:
    """A sign-in as it stands at the door.

    Attributes:
        account: Whose it would be; its row is locked, so whoever signs in to it at the same moment is seen, too.
        proofs: All that was shown, and right.
        is_known_browser: The browser has signed in to the account before.
        failures: Tries in a row that failed before this one, as the lockout counts them.
    """

    account: Account
    origin: Origin
    proofs: tuple[Proof, ...]
    is_known_browser: bool = False
    failures: int = 0


class Watch(Protocol):
    """Looks at every sign-in whose proofs are right, whatever the way in."""

    async def refresh(self) -> None:
        """Take note of what has changed outside of the database; no transaction is open."""
        ...

    async def look(self, reads: Reads, seen: Seen) -> Caution:
        """What is unusual about a sign-in. It reads, and does nothing else: a transaction is open."""
        ...
