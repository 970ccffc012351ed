"""Policies: what an expression means, that Python and SQL agree on every row, and that what is unclear denies."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostiary.core.access import expression as ex
from ostiary.core.access.decide import Grant, Holder, Rules
from ostiary.core.access.expression import Expression, Op, principal, row
from ostiary.core.access.policy import Kind, Policy, PolicyBook
from ostiary.core.access.roles import SEEDED, Role, RoleBook
from ostiary.kernel.errors import Misuse
from tests.support.postgres import PostgresServer

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
READ = "posts:read"
ROLES = RoleBook.of([*SEEDED, Role("reader", (READ,)), Role("writer", ("posts:write",))])

posts = sa.Table(
    "post",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("author", sa.Text),
    sa.Column("title", sa.Text),
    sa.Column("team", sa.Text),
    sa.Column("votes", sa.BigInteger),
    sa.Column("score", sa.Double),
    sa.Column("is_open", sa.Boolean),
    sa.Column("at", sa.DateTime(timezone=True)),
    sa.Column("day", sa.DateTime()),
)

TEXTS = ["", "a", "A", "b", "Ä", "ä", "z", "😀", "anna", "10", "a b"]
NUMBERS = [-1, 0, 1, 2, 10]
SCORES = [-0.5, 0.0, 1.0, 1.5]
ZONE = timezone(timedelta(hours=5, minutes=30))
MOMENTS = [NOW, NOW - timedelta(hours=1), (NOW + timedelta(minutes=1)).astimezone(ZONE)]
ODD: list[Any] = ["nul\0", "\ud800", 2**70, float("inf"), None, b"bytes"]


def rows() -> st.SearchStrategy[dict[str, Any]]:
    """A row, with anything missing."""
    naive = [moment.astimezone(UTC).replace(tzinfo=None) for moment in MOMENTS]
    return st.fixed_dictionaries(
        {
            "author": st.sampled_from([*TEXTS, None]),
            "title": st.sampled_from([*TEXTS, None]),
            "team": st.sampled_from([*TEXTS, None]),
            "votes": st.sampled_from([*NUMBERS, None]),
            "score": st.sampled_from([*SCORES, None]),
            "is_open": st.sampled_from([True, False, None]),
            "at": st.sampled_from([*MOMENTS, None]),
            "day": st.sampled_from([*naive, None]),
        }
    )


def holders() -> st.SearchStrategy[Holder]:
    """A principal, some of whose attributes are missing, odd, or of another kind than the columns."""
    anything = st.sampled_from([*TEXTS, *NUMBERS, True, NOW, *ODD])
    more = st.fixed_dictionaries(
        {"teams": st.lists(anything, max_size=3), "level": anything},
        optional={"nick": anything},
    )
    scopes = ["", "", "posts:1", "posts:3", "posts:03", "organization:a", "organization:10", "users:1"]
    grants = st.lists(
        st.builds(
            Grant,
            st.sampled_from(["reader", "writer", "user", "superadmin", "gone"]),
            st.sampled_from(scopes),
            st.sampled_from([None, None, NOW, NOW + timedelta(seconds=1)]),
        ),
        max_size=2,
    ).map(tuple)
    ceilings = st.sampled_from([None, None, (READ,), ("posts:*",), ("users:*",), ()])
    return st.builds(Holder, st.sampled_from(TEXTS), grants, ceilings, more)


_OF_ROW = ["author", "title", "team", "votes", "score", "is_open", "at", "day"]
_KINDS = [["author", "title", "team"], ["votes", "score"], ["is_open"], ["at", "day"]]


def _comparisons() -> st.SearchStrategy[Expression]:
    ops = st.sampled_from(list(Op))
    attributes = st.sampled_from([getattr(row, name) for name in _OF_ROW])
    plain: list[ex.Scalar] = [*TEXTS, *NUMBERS, *SCORES, True, False, *MOMENTS]
    constants = st.sampled_from(plain).map(ex.Constant)
    whose = st.sampled_from([principal.id, principal.level, principal.nick])
    alike = st.sampled_from(_KINDS[:3]).flatmap(
        lambda names: st.tuples(ops, *[st.sampled_from([getattr(row, name) for name in names])] * 2)
    )
    return st.one_of(
        st.builds(ex.Compare, ops, attributes, constants),
        st.builds(ex.Compare, ops, whose, attributes),
        st.builds(ex.Compare, ops, whose, constants),
        alike.map(lambda found: ex.Compare(*found)),
        st.builds(ex.In, attributes, st.lists(constants, max_size=3).map(tuple)),
        st.builds(lambda one: one.in_(principal.teams), attributes),
        st.builds(ex.IsMissing, st.one_of(attributes, whose)),
    )


def expressions() -> st.SearchStrategy[Expression]:
    """A policy's expression."""
    return st.recursive(
        _comparisons(),
        lambda inner: st.one_of(
            st.builds(ex.Both, inner, inner), st.builds(ex.Either, inner, inner), st.builds(ex.Not, inner)
        ),
        max_leaves=5,
    )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def connection(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sa.Connection]:
    """A database with the table, through a plain synchronous driver, as a host might use it."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create_database().replace("postgresql://", "postgresql+psycopg://")
    else:
        url = f"sqlite:///{Path(tmp_path_factory.mktemp('rows')) / 'host.db'}"
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        posts.metadata.create_all(connection)
        yield connection
        connection.rollback()
    engine.dispose()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    there=st.lists(rows(), max_size=6),
    who=st.one_of(st.none(), holders()),
    allowing=st.lists(expressions(), max_size=2),
    forbidding=st.lists(expressions(), max_size=1),
)
def test_the_filter_returns_exactly_what_the_check_allows(
    connection: sa.Connection,
    there: list[dict[str, Any]],
    who: Holder | None,
    allowing: list[Expression],
    forbidding: list[Expression],
) -> None:
    """For any policies, principal and rows, missing values included: `where` finds the rows that `decide` allows."""
    rules = Rules(
        ROLES,
        PolicyBook.of(
            [Policy(READ, rule, "allows") for rule in allowing]
            + [Policy(READ, rule, "forbids", forbids=True) for rule in forbidding],
            [Kind("posts", organization="team")],
        ),
    )
    connection.execute(sa.delete(posts))
    for number, one in enumerate(there, 1):
        connection.execute(sa.insert(posts).values(id=number, **one))
    condition = rules.where(who, READ, posts, now=NOW)
    found = set(connection.execute(sa.select(posts.c.id).where(condition)).scalars())
    allowed = {
        one["id"]
        for one in connection.execute(sa.select(posts)).mappings().all()
        if rules.decide(who, READ, one, now=NOW).allowed
    }
    assert found == allowed


def _rules(*policies: Policy) -> Rules:
    return Rules(ROLES, PolicyBook.of(policies, [Kind("posts", organization="team")]))


ANNA = Holder("anna", (), more={"teams": ["a"]})
READER = Holder("rita", (Grant("reader"),))
POST = {"id": 1, "author": "anna", "team": "a", "is_open": None, "at": None}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (row.author == principal.id, True),
        (row.author != principal.id, False),
        (row.is_open == True, False),  # noqa: E712
        (~(row.is_open == True), False),  # noqa: E712
        (row.is_open.is_missing(), True),
        ((row.is_open == True) | (row.author == "anna"), True),  # noqa: E712
        ((row.is_open == True) & (row.author == "anna"), False),  # noqa: E712
        (row.team.in_(principal.teams), True),
        (row.team.in_([]), False),
        (row.team.in_(["b", "a"]), True),
        (row.team.in_(principal.nothing_like_that), False),
        (row.nothing_like_that == "a", False),
        (row.id == "1", False),
        (row.id == True, False),  # noqa: E712
        (row.id == 1.0, True),
    ],
)
def test_what_an_expression_means(rule: Expression, expected: bool) -> None:
    """Only true allows: what is missing, unknown or of another kind does not, however it is negated."""
    assert _rules(Policy(READ, rule, "it")).decide(ANNA, READ, POST, now=NOW).allowed is expected


def test_a_forbidding_policy_that_is_unclear_forbids() -> None:
    """A missing value in a rule that takes away must not let anybody through."""
    rules = _rules(Policy(READ, row.is_open == False, "closed posts", forbids=True))  # noqa: E712
    assert not rules.decide(READER, READ, POST, now=NOW).allowed
    assert rules.decide(READER, READ, POST | {"is_open": True}, now=NOW).allowed
    assert rules.decide(READER, READ, now=NOW).allowed, "in general, before there is a post"


def test_functions_decide_and_filter_nothing() -> None:
    """A plain function is asked for one thing; asking it for a list is the developer's mistake, whoever asks."""
    rules = _rules(Policy(READ, lambda who, action, post, context: context.get("hour") == 9, "office hours"))
    assert rules.decide(ANNA, READ, POST, {"hour": 9}, now=NOW).allowed
    assert not rules.decide(ANNA, READ, POST, {"hour": 22}, now=NOW).allowed
    for who in (ANNA, READER, None):
        with pytest.raises(Misuse, match="plain function"):
            rules.where(who, READ, posts, now=NOW)


@pytest.mark.parametrize("answer", [1, "yes", None, [True]], ids=repr)
def test_a_function_must_say_exactly_true(answer: object) -> None:
    """Something truthy is not a yes; as a forbidding rule it is not a clear no."""
    allowing = Policy(READ, lambda *_: answer, "odd")  # type: ignore[arg-type]
    assert not _rules(allowing).decide(ANNA, READ, POST, now=NOW).allowed
    forbidding = Policy(READ, lambda *_: answer, "odd", forbids=True)  # type: ignore[arg-type]
    assert not _rules(forbidding).decide(READER, READ, POST, now=NOW).allowed


def test_a_function_that_breaks_denies(caplog: pytest.LogCaptureFixture) -> None:
    """An exception in a policy is a denial, and the operator finds it in the log."""

    def breaks(*_: object) -> bool:
        raise ZeroDivisionError

    assert not _rules(Policy(READ, breaks, "broken")).decide(ANNA, READ, POST, now=NOW).allowed
    assert "broken" in caplog.text
    forbidding = _rules(Policy(READ, breaks, "broken", forbids=True))
    assert not forbidding.decide(READER, READ, POST, now=NOW).allowed


async def _later(*_: object) -> bool:
    return True


@pytest.mark.parametrize(
    "make",
    [
        lambda: Policy("posts:*", row.a == 1, "a pattern"),
        lambda: Policy(READ, _later, "async"),  # type: ignore[arg-type]
        lambda: Policy(READ, True, "no rule"),  # type: ignore[arg-type]
        lambda: row.a == None,  # noqa: E711
        lambda: row.a == math.inf,
        lambda: row.a == b"x",
        lambda: row.a == "nul\0",
        lambda: row.a.in_("text"),
        lambda: row.a.in_(row.b),
        lambda: (row.a == 1) and (row.b == 1),
        lambda: not (row.a == 1),  # noqa: SIM201 – what a developer might write
        lambda: (row.a == 1) & True,  # type: ignore[operator]
        lambda: 1 if row.a else 2,
        lambda: PolicyBook.of([], [Kind("posts"), Kind("posts", "other")]),
    ],
)
def test_mistakes_are_said_at_once(make: Any) -> None:
    """What cannot mean what its author thought raises when it is written down."""
    with pytest.raises(Misuse):
        make()


def test_a_filter_on_a_column_that_is_not_there() -> None:
    """A policy that names a column of another table is a mistake, not an empty list."""
    with pytest.raises(Misuse, match="no column 'owner'"):
        _rules(Policy(READ, row.owner == principal.id, "owners")).where(ANNA, READ, posts, now=NOW)


@pytest.mark.parametrize(
    ("who", "on", "expected"),
    [
        (None, POST, "denied: nobody is signed in"),
        (ANNA, POST, "denied: no role and no policy gives posts:read"),
        (READER, None, "allowed: role reader: reader → posts:read"),
        (Holder("x", (Grant("reader", until=NOW),)), None, "denied: no role and no policy gives posts:read"),
        (Holder("x", (Grant("reader", "posts:1"),)), POST, "allowed: role reader for posts:1: reader → posts:read"),
        (Holder("x", (Grant("reader", "posts:1"),)), None, "denied: no role and no policy gives posts:read"),
        (Holder("x", (Grant("reader", "posts:2"),)), POST, "denied: no role and no policy gives posts:read"),
        (Holder("x", (Grant("reader", "organization:a"),)), POST,
         "allowed: role reader for organization:a: reader → posts:read"),
        (Holder("x", (Grant("reader", "users:1"),)), POST, "denied: no role and no policy gives posts:read"),
        (Holder("x", (Grant("reader"),), ceiling=("users:*",)), POST,
         "denied: the credential's scopes do not reach that far"),
        (Holder("x", (Grant("reader"),), ceiling=()), POST, "denied: the credential's scopes do not reach that far"),
    ],
)  # fmt: skip
def test_why(who: Holder | None, on: object, expected: str) -> None:
    """Every decision says in one line what decided it."""
    assert str(_rules().decide(who, READ, on, now=NOW)) == expected


def test_explaining_tells_everything() -> None:
    """All that speaks for and against, what decided first."""
    rules = _rules(
        Policy(READ, row.author == principal.id, "authors read their own"),
        Policy(READ, row.team == "a", "team a is shut", forbids=True),
    )
    who = Holder("anna", (Grant("reader"), Grant("superadmin")))
    told = [(reason.allows, reason.because) for reason in rules.explain(who, READ, POST, now=NOW).reasons]
    assert told == [
        (False, "team a is shut"),
        (True, "role reader: reader → posts:read"),
        (True, "role superadmin: superadmin → admin:all"),
        (True, "authors read their own"),
        (False, "no role and no policy gives posts:read"),
    ]
