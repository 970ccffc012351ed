"""Owns the table of sealed keys."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from ostiary.storage.schema import blob, metadata, moment, number, text
from ostiary.storage.statement import Query, command

keyring: Final = sa.Table(
    "keyring",
    metadata,
    text("id", primary_key=True),
    text("purpose"),
    number("generation"),
    blob("sealed"),
    moment("created_at"),
    sa.UniqueConstraint("purpose", "generation"),
)


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A row of the ring."""

    id: str
    purpose: str
    generation: int
    sealed: bytes


LOAD: Final = Query(
    "keys.load",
    sa.select(keyring.c.id, keyring.c.purpose, keyring.c.generation, keyring.c.sealed).order_by(
        keyring.c.purpose, keyring.c.generation
    ),
    SealedKey,
    scan=True,
)
ANY: Final = Query("keys.any", sa.select(keyring.c.id).limit(1), str)
# Two processes that start together both try; the first one wins and both load its key.
ADD: Final = command(
    "keys.add",
    insert(keyring)
    .values({c.name: bindparam(c.name) for c in keyring.columns})
    .on_conflict_do_nothing(index_elements=[keyring.c.purpose, keyring.c.generation]),
)
