"""Owns roles: what each grants, which others it inherits, and the book that holds them all. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ostiary.core.access.permission import EVERYTHING, covers, is_within, pattern
from ostiary.kernel.errors import Misuse

_NAME: Final = re.compile(r"[a-z][a-z0-9_.-]{0,63}", re.ASCII)
USER: Final = "user"
SUPERADMIN: Final = "superadmin"


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of permissions.

    Attributes:
        name: Unique in a deployment.
        grants: Patterns, such as ``posts:*``.
        inherits: Roles whose grants it has as well.
        doc: For people who grant it.
    """

    name: str
    grants: tuple[str, ...] = ()
    inherits: tuple[str, ...] = ()
    doc: str = ""


# What every deployment begins with; a role of the same name replaces one of these.
SEEDED: Final = (
    Role(USER, doc="Everybody who registers. Grants nothing by itself."),
    Role("moderator", inherits=(USER,), doc="Keeps order among what others wrote."),
    Role(
        "admin",
        ("users:*", "sessions:*", "roles:*", "events:*"),
        ("moderator",),
        "Administers people, but grants no role above its own.",
    ),
    Role(SUPERADMIN, (EVERYTHING,), ("admin",), "May do everything."),
)


@dataclass(frozen=True, slots=True)
class Path:
    """Why a role has a permission: the roles that were walked through, and the pattern at the end."""

    roles: tuple[str, ...]
    pattern: str

    def __str__(self) -> str:
        return " → ".join((*self.roles, self.pattern))


@dataclass(frozen=True, slots=True)
class RoleBook:
    """Every role of a deployment.

    Args:
        roles: By name.
    """

    roles: Mapping[str, Role]
    _reach: dict[str, tuple[Path, ...]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, roles: Iterable[Role]) -> "RoleBook":
        """Check the roles and put them together; a later one replaces an earlier one of the same name.

        Raises:
            Misuse: a name or a pattern is none, a role inherits one that is not there, or they inherit in a circle.
        """
        book = cls({role.name: role for role in roles})
        for role in book.roles.values():
            if not _NAME.fullmatch(role.name):
                raise Misuse(
                    f"{role.name!r} is no name of a role: write it in lower case, such as note-editor"
                )
            for granted in role.grants:
                pattern(granted)
            for parent in role.inherits:
                if parent not in book.roles:
                    raise Misuse(f"role {role.name!r} inherits {parent!r}, and there is no such role")
        for name in book.roles:
            book._refuse_circle(name, ())
        return book

    def _refuse_circle(self, name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise Misuse(f"roles inherit in a circle: {' → '.join((*above[above.index(name) :], name))}")
        for parent in self.roles[name].inherits:
            self._refuse_circle(parent, (*above, name))

    def why(self, role: str, asked: str) -> Path | None:
        """The shortest path from a role to a permission; None when there is none, or no such role."""
        return next((path for path in self._paths(role) if covers(path.pattern, asked)), None)

    def patterns(self, role: str) -> tuple[str, ...]:
        """Everything that a role grants, its own and inherited."""
        return tuple(dict.fromkeys(path.pattern for path in self._paths(role)))

    def includes(self, held: str, wanted: str) -> bool:
        """Whether a role is another one, or inherits it."""
        return held == wanted or any(
            self.includes(parent, wanted)
            for parent in (self.roles[held].inherits if held in self.roles else ())
        )

    def may_grant(self, held: Iterable[str], wanted: str) -> bool:
        """Whether holders of some roles may give another one away: only what they could do themselves.

        A role that does not exist may be granted by nobody. One that lists nothing may mean anything to an application,
        so only those may grant it who hold it, or everything (L20).
        """
        if wanted not in self.roles:
            return False
        roles = tuple(held)
        if any(self.includes(role, wanted) for role in roles):
            return True
        own = [granted for role in roles for granted in self.patterns(role)]
        asked = self.patterns(wanted) or (EVERYTHING,)
        return all(any(is_within(one, granted) for granted in own) for one in asked)

    def _paths(self, role: str) -> tuple[Path, ...]:
        found = self._reach.get(role)
        if found is None:
            found = tuple(self._walk(role))
            self._reach[role] = found
        return found

    def _walk(self, role: str) -> Iterator[Path]:
        """Breadth first, so that the first path to a pattern is a shortest one; each role is walked once."""
        waiting: list[tuple[str, ...]] = [(role,)] if role in self.roles else []
        seen = {role}
        for walked in waiting:
            here = self.roles[walked[-1]]
            yield from (Path(walked, granted) for granted in here.grants)
            for parent in here.inherits:
                if parent not in seen:
                    seen.add(parent)
                    waiting.append((*walked, parent))
