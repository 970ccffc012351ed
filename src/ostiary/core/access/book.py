"""Owns the roles that are defined in the database: writing one, dropping one, and the book as it is now."""

from collections.abc import Collection
from typing import Final

from ostiary.core.access import store
from ostiary.core.access.roles import SEEDED, Role, RoleBook
from ostiary.core.change import Change
from ostiary.kernel.errors import Misuse
from ostiary.kernel.events import EventType, Severity
from ostiary.storage.database import Reads

ROLE_DEFINED: Final = EventType(
    "role_defined",
    "A role was defined in the database, or was changed there.",
    Severity.WARNING,
    ("role", "grants", "inherits", "by"),
)
ROLE_DROPPED: Final = EventType(
    "role_dropped",
    "A role that was defined in the database is no more.",
    Severity.WARNING,
    ("role", "by"),
)
EVENTS: Final = (ROLE_DEFINED, ROLE_DROPPED)


class Book:
    """The roles of a deployment: those that every deployment has, those of the database, those of the program.

    A later one replaces an earlier one of the same name, so what the program says counts.

    Args:
        coded: The program's.

    Raises:
        Misuse: the program's roles do not fit together.
    """

    def __init__(self, coded: tuple[Role, ...] = ()) -> None:
        self._coded = coded
        self._coded_names: Final = frozenset(role.name for role in coded)
        self._version = -1
        self._roles = RoleBook.of((*SEEDED, *coded)) if coded else RoleBook.of(SEEDED)

    async def at(self, reads: Reads, version: int) -> RoleBook:
        """The book of a number that was read just now; another query only when it has changed."""
        if version != self._version:
            defined = await self.defined(reads)
            self._roles = RoleBook.of((*SEEDED, *defined, *self._coded))
            self._version = version
        return self._roles

    async def now(self, reads: Reads) -> RoleBook:
        """The book as it is."""
        return await self.at(reads, await reads.one(store.VERSION) or 0)

    async def defined(self, reads: Reads) -> tuple[Role, ...]:
        """The roles of the database."""
        return tuple(_role(row) for row in await reads.all(store.DEFINED))

    def where_from(self, name: str, defined: Collection[str]) -> str:
        """Where a role stands that counts: ``code``, ``database`` or ``built in``.

        Args:
            defined: Names of those of the database.
        """
        if name in self._coded_names:
            return "code"
        return "database" if name in defined else "built in"

    async def define(self, change: Change, role: Role, by: str) -> None:
        """Write a role into the database, new or changed.

        Raises:
            Misuse: it is defined by the program, or the roles would not fit together.
        """
        await self._refuse_coded(role.name)
        await change.run(store.TURN, of_book=1)
        others = [one for one in await self.defined(change) if one.name != role.name]
        RoleBook.of((*SEEDED, *others, role, *self._coded))
        await change.run(
            store.DEFINE,
            name=role.name,
            grants="\n".join(role.grants),
            inherits="\n".join(role.inherits),
            doc=role.doc,
            updated_at=change.micros,
        )
        await change.emit(
            ROLE_DEFINED(
                role=role.name, grants=" ".join(role.grants), inherits=" ".join(role.inherits), by=by
            )
        )

    async def drop(self, change: Change, name: str, by: str) -> bool:
        """Remove a role from the database; False when it is not there. Who holds it can do nothing by it then.

        Raises:
            Misuse: it is defined by the program, or another role inherits it.
        """
        await self._refuse_coded(name)
        await change.run(store.TURN, of_book=1)
        others = [one for one in await self.defined(change) if one.name != name]
        RoleBook.of((*SEEDED, *others, *self._coded))
        if not await change.run(store.DROP, of_name=name):
            return False
        await change.emit(ROLE_DROPPED(role=name, by=by))
        return True

    async def _refuse_coded(self, name: str) -> None:
        if name in self._coded_names:
            raise Misuse(
                f"role {name!r} is defined by the program, which would go on to count: change it there"
            )


def _role(row: store.RoleRow) -> Role:
    return Role(row.name, tuple(row.grants.split()), tuple(row.inherits.split()), row.doc)
