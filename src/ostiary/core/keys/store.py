"""Owns the tables of sealed keys and of the state that they share."""

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
    moment("active_at", nullable=True),  # none: from its creation
    text("root", nullable=True),  # which root secret sealed it; none: made before roots had names
    sa.UniqueConstraint("purpose", "generation"),
)
# One row. Whatever changes the ring or the signing keys raises its version, so that looking for news is one small
# read, and holds its lock, so that two changes of the ring never pass each other.
keyring_state: Final = sa.Table(
    "keyring_state",
    metadata,
    text("name", primary_key=True),
    number("version"),
    text("root"),
    blob("canary"),
)
THE_RING: Final = "ring"


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A row of the ring."""

    id: str
    purpose: str
    generation: int
    sealed: bytes
    created_at: int
    active_at: int
    root: str | None


@dataclass(frozen=True, slots=True)
class State:
    """What the ring was last sealed with, and how often it was changed."""

    version: int
    root: str
    canary: bytes


LOAD: Final = Query(
    "keys.load",
    sa.select(
        keyring.c.id,
        keyring.c.purpose,
        keyring.c.generation,
        keyring.c.sealed,
        keyring.c.created_at,
        sa.func.coalesce(keyring.c.active_at, keyring.c.created_at),
        keyring.c.root,
    ).order_by(keyring.c.purpose, keyring.c.generation),
    SealedKey,
    scan=True,
)
STATE: Final = Query(
    "keys.state",
    sa.select(keyring_state.c.version, keyring_state.c.root, keyring_state.c.canary).where(
        keyring_state.c.name == THE_RING
    ),
    State,
)
ANY: Final = Query("keys.any", sa.select(keyring.c.id).limit(1), str)
# Two processes that start together both try; the first one wins, and both go on with what it wrote.
BEGIN: Final = command(
    "keys.begin",
    insert(keyring_state)
    .values(name=THE_RING, version=1, root=bindparam("root"), canary=bindparam("canary"))
    .on_conflict_do_nothing(index_elements=[keyring_state.c.name]),
)
BUMP: Final = Query(
    "keys.bump",
    sa.update(keyring_state)
    .where(keyring_state.c.name == THE_RING)
    .values(version=keyring_state.c.version + 1)
    .returning(keyring_state.c.version, keyring_state.c.root, keyring_state.c.canary),
    State,
)
ADD: Final = command(
    "keys.add",
    insert(keyring)
    .values({c.name: bindparam(c.name) for c in keyring.columns})
    .on_conflict_do_nothing(index_elements=[keyring.c.purpose, keyring.c.generation]),
)
DROP: Final = command("keys.drop", sa.delete(keyring).where(keyring.c.id == bindparam("id")))
RESEAL: Final = command(
    "keys.reseal",
    sa.update(keyring)
    .where(keyring.c.id == bindparam("of_id"))
    .values(sealed=bindparam("new_sealed"), root=bindparam("new_root")),
)
SET_ROOT: Final = command(
    "keys.set_root",
    sa.update(keyring_state)
    .where(keyring_state.c.name == THE_RING)
    .values(root=bindparam("new_root"), canary=bindparam("new_canary")),
)
