"""Owns the table of signing keys."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.storage.schema import metadata, moment, text
from ostiary.storage.statement import Query, command

NEXT: Final = "next"
CURRENT: Final = "current"
PREVIOUS: Final = "previous"
RETIRED: Final = "retired"

_ONE_OF_A_KIND: Final = sa.text("state IN ('next', 'current')")

signing_key: Final = sa.Table(
    "signing_key",
    metadata,
    text("kid", primary_key=True),
    text("algorithm"),
    text("state"),
    moment("since"),  # from when on it is in that state
    text("public"),  # as a JWK
    text("sealed"),  # the private key; "" once it signs no more
    moment("created_at"),
    sa.Index(
        "ix_signing_key_state",
        "state",
        unique=True,
        sqlite_where=_ONE_OF_A_KIND,
        postgresql_where=_ONE_OF_A_KIND,
    ),
)


@dataclass(frozen=True, slots=True)
class SigningRow:
    """A signing key as stored."""

    kid: str
    algorithm: str
    state: str
    since: int
    public: str
    sealed: str
    created_at: int


LOAD: Final = Query(
    "signing.load",
    sa.select(*signing_key.columns).order_by(signing_key.c.created_at, signing_key.c.kid),
    SigningRow,
    scan=True,
)
ADD: Final = command(
    "signing.add", sa.insert(signing_key).values({c.name: bindparam(c.name) for c in signing_key.columns})
)
# What signs no more keeps no private key: nobody can steal it later.
MOVE: Final = command(
    "signing.move",
    sa.update(signing_key)
    .where(signing_key.c.kid == bindparam("of_kid"), signing_key.c.state == bindparam("of_state"))
    .values(state=bindparam("new_state"), since=bindparam("now"), sealed=bindparam("kept")),
)
DROP: Final = command("signing.drop", sa.delete(signing_key).where(signing_key.c.kid == bindparam("kid")))
