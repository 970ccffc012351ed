"""Owns `Change`: the one write transaction of a flow, with the journal and the in-process reactions attached to it."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from ostiary.core.journal import store
from ostiary.core.journal.record import entry_of
from ostiary.core.journal.store import Entry
from ostiary.kernel.errors import Misuse
from ostiary.kernel.events import Event, EventType
from ostiary.kernel.origin import Origin
from ostiary.kernel.world import World, to_micros
from ostiary.storage.database import Reads, Transaction
from ostiary.storage.statement import Query

T = TypeVar("T")

_DEEPEST: Final = 4


class Change(Reads):
    """An open write transaction on somebody's behalf.

    Args:
        tx: The transaction.
        world: Clock, chance and ids.
        origin: Where the request came from, for the journal.
        reactions: Who reacts to which events.
    """

    def __init__(self, tx: Transaction, world: World, origin: Origin, reactions: "Reactions") -> None:
        self.tx = tx
        self.world = world
        self.origin = origin
        self.now: datetime = world.now()
        self.micros: int = to_micros(self.now)
        self.is_partial = False
        self._reactions = reactions
        self._depth = 0
        self._entries: list[Entry] = []
        tx.before_commit(self.write_journal)

    async def one(self, query: Query[T], **given: Any) -> T | None:
        return await self.tx.one(query, **given)

    async def all(self, query: Query[T], **given: Any) -> list[T]:
        return await self.tx.all(query, **given)

    async def run(self, query: Query[Any], **given: Any) -> int:
        """Execute and return how many rows were touched."""
        return await self.tx.run(query, **given)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call `action` once the change is durable."""
        self.tx.after_commit(action)

    def partial(self) -> None:
        """The reserved try was right but proves only a part: it is given back, and nothing is cleared (L09)."""
        self.is_partial = True

    async def emit(self, event: Event) -> None:
        """Let every subscriber react, in order, in this transaction; its journal row is written at the end of it.

        An exception in a subscriber aborts the whole change.
        """
        if self._depth >= _DEEPEST:
            raise Misuse(f"event {event.type.name!r}: subscribers answer events with events in a circle")
        self._depth += 1
        try:
            self._entries.append(entry_of(self.world, self.origin, event))
            for react in self._reactions.to(event.type):
                await react(self, event)
        finally:
            self._depth -= 1

    async def write_journal(self) -> None:
        """Write the rows of all events so far, in their order; the transaction does it before it commits."""
        entries, self._entries = self._entries, []
        await store.add(self.tx, entries)


React = Callable[[Change, Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Reacts to events of some types.

    Attributes:
        wants: Whether it reacts to events of a type; asked once per type, when the engine is built.
        react: What it does, in the same transaction.
    """

    wants: Callable[[EventType], bool]
    react: React


def on(event_type: EventType, react: React) -> Subscriber:
    """A subscriber to one type of event."""
    return Subscriber(lambda candidate: candidate is event_type, react)


class Reactions:
    """Which subscribers react to which event types, in a fixed order.

    Args:
        types: Every event type of this engine.
        subscribers: In the order in which they react.
    """

    def __init__(self, types: Iterable[EventType], subscribers: Iterable[Subscriber]) -> None:
        ordered = tuple(subscribers)
        self.types: dict[str, EventType] = {}
        self._by_name: dict[str, tuple[React, ...]] = {}
        for event_type in types:
            if event_type.name in self._by_name:
                raise Misuse(f"event type {event_type.name!r} is declared twice")
            self.types[event_type.name] = event_type
            self._by_name[event_type.name] = tuple(s.react for s in ordered if s.wants(event_type))

    def to(self, event_type: EventType) -> tuple[React, ...]:
        """The reactions to an event type.

        Raises:
            Misuse: no manifest lists the type.
        """
        try:
            return self._by_name[event_type.name]
        except KeyError:
            raise Misuse(
                f"event type {event_type.name!r} stands in no manifest; add it to its rib's events"
            ) from None
