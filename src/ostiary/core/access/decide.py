"""Owns the decision who may do what. Pure: roles, policies, a holder and a thing in; yes or no and why out.

In this order:

1. Nobody, or a credential whose scopes do not reach: denied.
2. A forbidding policy that is not clearly false: denied. An exception in it forbids.
3. A role, granted here, that has a path to the permission: allowed.
4. A policy whose rule is exactly true: allowed. An exception in it is a denial.
5. Otherwise denied. No rule, no permission (L20).
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from ostiary.core.access import expression as ex
from ostiary.core.access import filter as filters
from ostiary.core.access.expression import Expression, attribute_of
from ostiary.core.access.permission import permission
from ostiary.core.access.policy import Kind, Policy, PolicyBook, within
from ostiary.core.access.roles import RoleBook
from ostiary.kernel.errors import Misuse

EVERYWHERE: Final = ""
ORGANIZATION: Final = "organization"
_log: Final = logging.getLogger("ostiary.access")


@dataclass(frozen=True, slots=True)
class Grant:
    """An account holds a role.

    Attributes:
        scope: ``""`` everywhere, ``organization:ID``, or ``RESOURCE:ID`` for one thing.
        until: When it ends; None when it does not.
    """

    role: str
    scope: str = EVERYWHERE
    until: datetime | None = None

    def __str__(self) -> str:
        where = f" for {self.scope}" if self.scope else ""
        when = f" until {self.until.isoformat(timespec='seconds')}" if self.until else ""
        return f"role {self.role}{where}{when}"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who asks, as far as deciding needs it; policies read these as attributes of ``principal``.

    Attributes:
        id: The account.
        grants: The roles that it holds, ended ones among them.
        ceiling: Patterns that a narrower credential reaches; None for one that reaches as far as its owner.
        more: What policies may compare as well: ``acr``, ``teams``, …
    """

    id: str
    grants: tuple[Grant, ...]
    ceiling: tuple[str, ...] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.more[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that spoke for or against."""

    allows: bool
    because: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no.

    Attributes:
        reasons: What decided comes first; the others follow where everything was asked for.
    """

    allowed: bool
    permission: str
    reasons: tuple[Reason, ...]

    def __str__(self) -> str:
        return f"{'allowed' if self.allowed else 'denied'}: {self.reasons[0].because}"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a deployment says about who may do what."""

    roles: RoleBook
    policies: PolicyBook

    def decide(
        self,
        who: Holder | None,
        asked: str,
        on: object | None = None,
        context: Mapping[str, Any] | None = None,
        *,
        now: datetime,
    ) -> Decision:
        """Whether `who` may, with the one reason that decided.

        Args:
            asked: The permission.
            on: The thing. Without one the question is about the permission in general: grants for one thing or
                organization and policies about rows say nothing then, so ask again once the thing is there.
            context: For policies that are functions.

        Raises:
            Misuse: `asked` is no permission.
        """
        first = next(self._reasons(who, asked, on, context or {}, now))
        return Decision(first.allows, asked, (first,))

    def explain(
        self,
        who: Holder | None,
        asked: str,
        on: object | None = None,
        context: Mapping[str, Any] | None = None,
        *,
        now: datetime,
    ) -> Decision:
        """As `decide`, with everything that speaks for or against."""
        reasons = tuple(self._reasons(who, asked, on, context or {}, now))
        return Decision(reasons[0].allows, asked, reasons)

    def where(self, who: Holder | None, asked: str, table: Any, *, now: datetime) -> sa.ColumnElement[bool]:
        """The rows of a table for which `decide` would say yes, as a condition for a query.

        Args:
            table: A table, alias, subquery or mapped class of SQLAlchemy.

        Raises:
            Misuse: a policy about this permission is a plain function, or the table lacks a column that one compares.
        """
        permission(asked)
        forbidding = [_expression(policy) for policy in self.policies.about(asked, forbids=True)]
        allowing = [_expression(policy) for policy in self.policies.about(asked, forbids=False)]
        if who is None or not within(who.ceiling, asked):
            return sa.false()
        columns = filters.columns_of(table)
        found = sa.or_(
            sa.false(),
            *self._granted_rows(who, asked, columns, now),
            *(_rows(rule, who, columns, sa.false()) for rule in allowing),
        )
        for rule in forbidding:
            # What is unknown forbids: only clearly false lets a row through.
            found = sa.and_(
                found, sa.func.coalesce(_rows(rule, who, columns, sa.true()), sa.true()) == sa.false()
            )
        return found

    def _reasons(
        self, who: Holder | None, asked: str, on: object | None, context: Mapping[str, Any], now: datetime
    ) -> Iterator[Reason]:
        permission(asked)
        if who is None:
            yield Reason(allows=False, because="nobody is signed in")
            return
        if not within(who.ceiling, asked):
            yield Reason(allows=False, because="the credential's scopes do not reach that far")
            return
        for policy in self._speaking(asked, on, forbids=True):
            if _value(policy, who, on, context) is not False:
                yield Reason(allows=False, because=policy.says)
        for grant in _live(who.grants, now):
            path = self.roles.why(grant.role, asked)
            if path is not None and _reaches(grant, self.policies.kind(asked), on):
                yield Reason(allows=True, because=f"{grant}: {path}")
        for policy in self._speaking(asked, on, forbids=False):
            if _value(policy, who, on, context) is True:
                yield Reason(allows=True, because=policy.says)
        yield Reason(allows=False, because=f"no role and no policy gives {asked}")

    def _speaking(self, asked: str, on: object | None, *, forbids: bool) -> Iterator[Policy]:
        found = self.policies.about(asked, forbids=forbids)
        return (policy for policy in found if on is not None or not policy.is_about_rows)

    def _granted_rows(
        self, who: Holder, asked: str, columns: filters.Columns, now: datetime
    ) -> Iterator[sa.ColumnElement[bool]]:
        kind = self.policies.kind(asked)
        for grant in _live(who.grants, now):
            if self.roles.why(grant.role, asked) is None:
                continue
            if grant.scope == EVERYWHERE:
                yield sa.true()
                continue
            name = _scope_attribute(grant, kind)
            if name is not None:
                yield _is_id(columns(name), grant.scope.partition(":")[2])


def _live(grants: Iterable[Grant], now: datetime) -> Iterator[Grant]:
    return (grant for grant in grants if grant.until is None or now < grant.until)


def _scope_attribute(grant: Grant, kind: Kind) -> str | None:
    """The attribute of a thing that must equal the id of a grant's scope; None when the scope is about other things."""
    about = grant.scope.partition(":")[0]
    if about == ORGANIZATION:
        return kind.organization
    return kind.id if about == kind.resource else None


def _reaches(grant: Grant, kind: Kind, on: object | None) -> bool:
    if grant.scope == EVERYWHERE:
        return True
    name = _scope_attribute(grant, kind)
    if name is None or on is None:
        return False
    try:
        found = attribute_of(on, name)
    except LookupError:
        return False
    is_id = isinstance(found, str | int) and not isinstance(found, bool)
    return is_id and str(found) == grant.scope.partition(":")[2]


def _is_id(column: sa.ColumnElement[Any], wanted: str) -> sa.ColumnElement[bool]:
    """The same comparison as SQL, in the column's own type, so that its index serves."""
    if filters.kind_of_column(column) is str:
        return column == sa.literal(wanted, sa.Text) if ex.kind_of(wanted) is str else sa.false()
    try:
        number = int(wanted)
    except ValueError:
        return sa.false()
    if str(number) != wanted or ex.kind_of(number) is None:
        return sa.false()
    return column == sa.literal(number, sa.BigInteger)


def _value(policy: Policy, who: Holder, on: object | None, context: Mapping[str, Any]) -> bool | None:
    """The truth of a policy's rule; None for unknown, and for a rule that broke."""
    rule = policy.rule
    try:
        if isinstance(rule, Expression):
            return ex.value(rule, who, {} if on is None else on)
        found: object = rule(who, policy.permission.partition(":")[2], on, context)
    except Misuse:
        raise
    except LookupError as missing:
        _log.debug("policy %r: there is no %s", policy.says, missing)
        return None
    except Exception:  # noqa: BLE001 - whatever a host's function raises, it has not said yes (S-E9)
        _log.exception("policy %r broke, and so denies", policy.says)
        return None
    return found if found is True or found is False else None


def _expression(policy: Policy) -> Expression:
    if isinstance(policy.rule, Expression):
        return policy.rule
    raise Misuse(
        f"the policy {policy.says!r} is a plain function, which cannot filter rows: write it as an expression "
        "(row.author_id == principal.id)"
    )


def _rows(
    rule: Expression, who: Holder, columns: filters.Columns, otherwise: sa.ColumnElement[bool]
) -> sa.ColumnElement[bool]:
    try:
        return filters.condition(rule, who, columns)
    except LookupError as missing:
        _log.debug("the principal has no %s", missing)
        return otherwise
