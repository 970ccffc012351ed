"""Owns the putting in and the opening of what waits to be delivered, and the list of dead letters.

It refuses to know what a mail or a webhook is: `kind` names who delivers it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from ostiary.core.change import Change
from ostiary.core.keys.ring import Keyring, purpose
from ostiary.core.outbox import store
from ostiary.core.outbox.settings import OutboxSettings
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World, from_micros

OUTBOX: Final = purpose("outbox", "Seals what waits in the outbox: addresses, links and codes.")
MAIL_DELAYED: Final = EventType(
    "mail_delayed",
    "A try to deliver a mail (or a webhook) failed; it is tried again later.",
    Severity.NOTICE,
    ("outbox_id", "kind", "attempts", "reason"),
)
MAIL_DEAD: Final = EventType(
    "mail_dead",
    "A mail (or a webhook) could not be delivered and will not be tried again unless requeued.",
    Severity.WARNING,
    ("outbox_id", "kind", "attempts", "reason"),
)
MAIL_REQUEUED: Final = EventType(
    "mail_requeued", "An operator let a dead mail (or webhook) be tried again.", fields=("outbox_id",)
)
EVENTS: Final = (MAIL_DELAYED, MAIL_DEAD, MAIL_REQUEUED)

# Nearly every mail fits into one step, so the size of a row tells neither what it is nor whether it is a decoy.
_STEP: Final = 2048


class Temporary(Exception):
    """This try failed, a later one may succeed.

    Args:
        reason: Stored and logged: our own words and status numbers only.
        said: What the other side said, for whoever asked by hand; neither stored nor logged.
    """

    def __init__(self, reason: str, said: str = "") -> None:
        super().__init__(reason)
        self.said = said


class Permanent(Exception):
    """No later try will succeed.

    Args:
        reason: As for `Temporary`.
        said: As for `Temporary`.
    """

    def __init__(self, reason: str, said: str = "") -> None:
        super().__init__(reason)
        self.said = said


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be delivered.

    Attributes:
        id: The same at every try; derive from it whatever lets a receiver recognise a repetition.
        kind: Who delivers it.
        payload: As it was put in, after a trip through JSON.
        created_at: When it was put in.
        attempts: Which try this is, from 1.
        is_live: False for a decoy, which nobody delivers.
    """

    id: str
    kind: str
    payload: dict[str, Any]
    created_at: datetime
    attempts: int
    is_live: bool


Deliver = Callable[[Letter], Awaitable[None]]
"""Delivers a letter or raises `Temporary` or `Permanent`; it may be called twice for the same letter."""


class Outbox:
    """The way in.

    Args:
        world: Clock and ids.
        ring: Seals the content.
        settings: Sizes and times, also for the worker.
    """

    def __init__(self, world: World, ring: Keyring, settings: OutboxSettings) -> None:
        self._world = world
        self._ring = ring
        self.settings = settings
        self.arrived = asyncio.Event()
        """Set when something was put in by this process and is durable."""

    def begin(self) -> None:
        """Begin in the running event loop: an event that was waited for belongs to the loop in which that was."""
        self.arrived = asyncio.Event()

    async def put(self, change: Change, kind: str, payload: Mapping[str, Any], *, live: bool = True) -> str:
        """Write a row that is delivered once the change is durable, and never if it is rolled back.

        Args:
            change: The open transaction.
            kind: Who delivers it.
            payload: JSON values, `Secret` and timedelta (stored as seconds); sealed before it is stored.
            live: False writes a decoy that costs and looks the same and that the worker silently drops: this is how
                known and unknown addresses cannot be told apart by what they cost (L16).

        Returns:
            The row's id.
        """
        row_id = change.world.id()
        await change.run(
            store.ADD,
            id=row_id,
            kind=kind,
            sealed=self._ring.seal(OUTBOX, _padded({"live": live, "payload": dict(payload)}), row_id, kind),
            created_at=change.micros,
            due_at=change.micros,
        )
        change.after_commit(self.arrived.set)
        return row_id

    def open(self, row: store.Claimed | store.Kept) -> Letter | None:
        """The letter in a row; None when it was altered, or no key at hand opens it."""
        plain = self._ring.open_sealed(OUTBOX, row.sealed, row.id, row.kind)
        if plain is None:
            return None
        inside = orjson.loads(plain)
        return Letter(
            row.id, row.kind, inside["payload"], from_micros(row.created_at), row.attempts, inside["live"]
        )


async def requeue(change: Change, letter_id: str) -> bool:
    """Let a dead letter start over, with all its tries.

    Returns:
        Whether there was such a dead letter.
    """
    if not await change.run(store.REQUEUE, at_id=letter_id, new_due_at=change.micros):
        return False
    await change.emit(MAIL_REQUEUED(outbox_id=letter_id))
    return True


def _padded(content: dict[str, Any]) -> bytes:
    # JSON ignores white space at its end.
    raw = orjson.dumps(content, default=_plain)
    return raw.ljust(-(-len(raw) // _STEP) * _STEP)


def _plain(value: object) -> str | float:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(f"a payload cannot carry a {type(value).__name__}")
