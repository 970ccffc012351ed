"""Owns the export: who may have it, and the document, written piece by piece."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import lock_active
from ostiary.core.change import Change
from ostiary.core.throttle.limits import Hit, Window
from ostiary.core.wiring import Core
from ostiary.features.export.settings import ExportSettings
from ostiary.kernel.errors import NOT_FOUND, Refused
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal

EXPORTED: Final = EventType(
    "account_exported",
    "The owner of an account, or an operator, had everything that is kept about it; `by`: owner or operator.",
    Severity.NOTICE,
    ("by",),
    tell_owner=True,
    at_every_address=True,
    words="Everything that is kept about your account was downloaded.",
)
EVENTS: Final = (EXPORTED,)
FORMAT: Final = 1

_PIECE: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Export:
    """A document on its way out.

    Attributes:
        pieces: UTF-8 text of one JSON object, to be read once. When the database fails on the way it breaks off, and
            is no JSON then.
    """

    at: datetime
    pieces: AsyncIterator[bytes]


async def export(core: Core, origin: Origin, who: Principal) -> Export:
    """Everything that is kept about the account of whoever asks; its owner is told before the first piece is read.

    Raises:
        Refused: `fresh_authentication_required`, `too_many_attempts`.
    """
    await core.factors.require(core.database, who)
    limit = Window("export-account", core.settings.of(ExportSettings).exports_per_account, by_network=False)

    async def work(change: Change) -> datetime:
        await lock_active(change, who.account_id)
        await change.emit(EXPORTED(who.account_id, by="owner"))
        return change.now

    async with core.runner.flow(origin) as flow:
        await flow.reserve(Hit(limit, who.account_id))
        at = await flow.change(work)
    return Export(at, _pieces(core, who.account_id, at))


async def export_for_operator(core: Core, email: str) -> Export:
    """The same because an operator says so, who answers somebody who cannot get in; the owner is told.

    Raises:
        Refused: `not_found`; nobody has this address.
    """

    async def work(change: Change) -> tuple[str, datetime]:
        found = await accounts.find(change, email)
        if found is None:
            raise Refused(NOT_FOUND, "nobody has this address")
        await change.emit(EXPORTED(found.account_id, by="operator"))
        return found.account_id, change.now

    async with core.runner.flow(Origin()) as flow:
        account_id, at = await flow.change(work)
    return Export(at, _pieces(core, account_id, at))


async def _pieces(core: Core, account_id: str, at: datetime) -> AsyncIterator[bytes]:
    """The document in pieces of about 16 KiB, so that it needs little memory however long it is."""
    piece = bytearray(_json({"format": FORMAT, "exported_at": at})[:-1])
    for kept in core.kept:
        piece += b"," + _json(kept.name) + b":"
        if not kept.is_one:
            piece += b"["
        count = 0
        async for row in kept.read(core, account_id):
            piece += (b"," if count else b"") + _json(row)
            count += 1
            if len(piece) >= _PIECE:
                yield bytes(piece)
                piece.clear()
        if not kept.is_one:
            piece += b"]"
        elif not count:
            piece += b"null"
    yield bytes(piece + b"}\n")


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)
