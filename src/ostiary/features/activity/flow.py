"""Owns reading an account's activity, page by page."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from ostiary.core.cursor import open_cursor, seal_cursor
from ostiary.core.device import describe_device
from ostiary.core.journal.store import journal
from ostiary.core.signin.methods import factor_in_words, methods_in_words
from ostiary.core.wiring import Core, Kept
from ostiary.features.activity import store
from ostiary.kernel.events import EventType
from ostiary.kernel.principal import Principal
from ostiary.kernel.world import ID_LENGTH, from_micros

SHOWN: Final = 20
MOST_SHOWN: Final = 100

_LIST: Final = "account activity"
_NEWEST: Final = "z" * (ID_LENGTH + 1)  # comes after every id
# Some rows have no words. A page reads this many times its length and is then shorter rather than slow.
_ROUNDS: Final = 4
_PART: Final = 500


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to an account.

    Attributes:
        type: The event type's name.
        words: The sentence that its owner reads.
        device: "Firefox 131 on Mac"; "" where it is not known.
        ip: "" where nobody asked from anywhere, such as an operator on the command line.
    """

    id: str
    at: datetime
    type: str
    words: str
    device: str
    ip: str


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the list, the latest first.

    Attributes:
        next: Cursor of the part that follows; None when this is the end.
    """

    happenings: tuple[Happening, ...]
    next: str | None


async def mine(core: Core, who: Principal, cursor: str | None = None, limit: int = SHOWN) -> Page:
    """The activity of whoever asks, the latest first.

    Args:
        cursor: From the part before; None begins with the latest.
        limit: Most happenings in this part, at most `MOST_SHOWN`.

    Raises:
        Refused: `cursor_invalid`.
    """
    query = (_LIST, who.account_id)
    before = open_cursor(core.ring, cursor, *query) if cursor else _NEWEST
    types = core.runner.reactions.types
    found: list[Happening] = []
    for _ in range(_ROUNDS):
        rows = await core.database.all(
            store.BEFORE, account_id=who.account_id, before=before, limit=limit + 1
        )
        for row in rows:
            if len(found) == limit:
                return Page(tuple(found), seal_cursor(core.ring, before, *query))
            before = row.id
            event_type = types.get(row.type)
            if event_type is not None and event_type.words:
                found.append(_happening(row, event_type))
        if len(rows) <= limit:
            return Page(tuple(found), None)
    return Page(tuple(found), seal_cursor(core.ring, before, *query))


def _happening(row: store.Row, event_type: EventType) -> Happening:
    words = say(event_type, orjson.loads(row.data))
    return Happening(row.id, from_micros(row.at), row.type, words, describe_device(row.user_agent), row.ip)


def say(event_type: EventType, data: Mapping[str, Any]) -> str:
    """An event in words. Pure.

    Args:
        event_type: Has the sentence.
        data: What fills it in; rows of earlier versions may lack some.
    """
    filled = {name: _in_words(name, data.get(name)) for name in event_type.fields}
    return event_type.words.format_map(filled)


async def _whole(core: Core, account_id: str) -> AsyncIterator[Mapping[str, Any]]:
    """Every row about an account, the latest first, also those without words; what operators noted is not told."""
    types, before = core.runner.reactions.types, _NEWEST
    while True:
        rows = await core.database.all(store.BEFORE, account_id=account_id, before=before, limit=_PART)
        for row in rows:
            event_type = types.get(row.type)
            yield {
                "at": from_micros(row.at),
                "type": row.type,
                "words": say(event_type, orjson.loads(row.data)) if event_type is not None else "",
                "ip": row.ip,
                "user_agent": row.user_agent,
            }
        if len(rows) < _PART:
            return
        before = rows[-1].id


KEPT: Final = Kept("activity", (journal.name,), _whole)


def _in_words(name: str, value: Any) -> str:
    if name == "amr":
        return methods_in_words(value or ())
    if name == "factor":
        return factor_in_words(value or "")
    if name == "reasons":
        return " ".join(value or ()).removesuffix(".")  # they are sentences already
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return "" if value is None else str(value)
