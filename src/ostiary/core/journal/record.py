"""Owns the making of a row out of an event."""

import orjson

from ostiary.core.journal.store import Entry
from ostiary.kernel.events import Event
from ostiary.kernel.origin import Origin
from ostiary.kernel.world import World


def entry_of(world: World, origin: Origin, event: Event) -> Entry:
    """The row of an event that happens now."""
    return Entry(
        id=world.id(),
        at=world.micros(),
        type=event.type.name,
        severity=event.type.severity.value,
        account_id=event.account_id,
        ip=origin.ip,
        user_agent=origin.user_agent,
        request_id=origin.request_id,
        data=orjson.dumps(dict(event.data)).decode(),
    )
