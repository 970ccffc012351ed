"""Owns the writing of one event as a row, in the transaction that is open."""

import orjson

from ostiary.core.journal import store
from ostiary.kernel.events import Event
from ostiary.kernel.origin import Origin
from ostiary.kernel.world import World
from ostiary.storage.database import Transaction


async def record(tx: Transaction, world: World, origin: Origin, event: Event) -> None:
    """Write the row of an event."""
    await tx.run(
        store.ADD,
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
