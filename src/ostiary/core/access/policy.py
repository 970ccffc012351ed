"""Owns policies: rules beyond roles about one permission, for one thing at a time or for rows of a table. Pure.

editors = PolicyBook.of([
    Policy("posts:delete", row.author_id == principal.id, "authors delete their own posts"),
    Policy("posts:delete", row.state == "locked", "nobody deletes a locked post", forbids=True),
])
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ostiary.core.access.expression import Expression, mentions_row
from ostiary.core.access.permission import covers, permission
from ostiary.kernel.errors import Misuse

Judge = Callable[[Any, str, Any, Mapping[str, Any]], bool]
"""A plain function ``(principal, action, resource, context) -> bool``. It decides questions, but filters no list."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A rule about one permission.

    Attributes:
        permission: What it is about.
        rule: An expression over principal and row, or a plain function. Only exactly True allows; an exception denies.
        says: In plain words, for whoever asks why.
        forbids: It takes away instead of giving, whatever roles and other policies say, unless it is clearly false.
        is_about_rows: It compares something of a row, so it has nothing to say while no thing is named.
    """

    permission: str
    rule: Expression | Judge
    says: str
    forbids: bool = False
    is_about_rows: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        permission(self.permission)
        rule: Any = self.rule
        if isinstance(rule, Expression):
            object.__setattr__(self, "is_about_rows", mentions_row(rule))
        elif not callable(rule) or inspect.iscoroutinefunction(rule):
            raise Misuse(
                f"the policy {self.says!r} is no rule: give an expression (row.author_id == principal.id) "
                "or a plain function of principal, action, resource and context"
            )


@dataclass(frozen=True, slots=True)
class Kind:
    """Where things of one resource keep what grants are scoped by.

    Attributes:
        resource: The first half of permissions, such as ``posts``.
        id: The attribute, and column, with its id.
        organization: The one with the organization it belongs to, if it does.
    """

    resource: str
    id: str = "id"
    organization: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyBook:
    """Every policy and kind of thing of a deployment.

    Attributes:
        policies: By the permission that they are about.
        kinds: By resource.
    """

    policies: Mapping[str, tuple[Policy, ...]]
    kinds: Mapping[str, Kind]

    @classmethod
    def of(cls, policies: Iterable[Policy], kinds: Iterable[Kind] = ()) -> "PolicyBook":
        """Put them together.

        Raises:
            Misuse: a resource is declared twice.
        """
        found: dict[str, tuple[Policy, ...]] = {}
        for policy in policies:
            found[policy.permission] = (*found.get(policy.permission, ()), policy)
        by_resource: dict[str, Kind] = {}
        for kind in kinds:
            if by_resource.setdefault(kind.resource, kind) is not kind:
                raise Misuse(f"resource {kind.resource!r} is declared twice")
        return cls(found, by_resource)

    def about(self, asked: str, *, forbids: bool) -> tuple[Policy, ...]:
        """The policies about a permission, of one of the two sorts."""
        return tuple(policy for policy in self.policies.get(asked, ()) if policy.forbids is forbids)

    @property
    def allowing(self) -> tuple[str, ...]:
        """Permissions that some policy may give."""
        return tuple(name for name in self.policies if self.about(name, forbids=False))

    def kind(self, asked: str) -> Kind:
        """Where things that a permission is about keep their id."""
        resource = asked.partition(":")[0]
        return self.kinds.get(resource) or Kind(resource)


def within(ceiling: tuple[str, ...] | None, asked: str) -> bool:
    """Whether a credential that is narrower than its owner (an API key, a token's scope) reaches this far."""
    return ceiling is None or any(covers(granted, asked) for granted in ceiling)
