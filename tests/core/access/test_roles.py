"""Roles: what covers what, who inherits what, and that nothing is allowed without a path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.core.access.permission import EVERYTHING, covers, permission
from ostiary.core.access.roles import SEEDED, SUPERADMIN, Role, RoleBook
from ostiary.kernel.errors import Misuse

NAMES = [f"role{number}" for number in range(6)]
RESOURCES = ["posts", "users", "events"]
ACTIONS = ["read", "write", "delete"]
PERMISSIONS = [f"{resource}:{action}" for resource in RESOURCES for action in ACTIONS]
PATTERNS = [*PERMISSIONS, *(f"{resource}:*" for resource in RESOURCES), EVERYTHING]


@st.composite
def books(draw: st.DrawFn) -> RoleBook:
    """Random roles without circles: each inherits only later ones."""
    roles = []
    for number, name in enumerate(NAMES):
        granted = draw(st.lists(st.sampled_from(PATTERNS), max_size=2, unique=True))
        later = NAMES[number + 1 :]
        parents = draw(st.lists(st.sampled_from(later), max_size=3, unique=True)) if later else []
        roles.append(Role(name, tuple(granted), tuple(parents)))
    return RoleBook.of(roles)


def reachable(book: RoleBook, role: str) -> set[str]:
    """Every role that one inherits, itself included, found the slow way."""
    found, before = {role}, set[str]()
    while found != before:
        before = set(found)
        found |= {parent for name in before for parent in book.roles[name].inherits}
    return found


@given(books(), st.sampled_from(NAMES), st.sampled_from(PERMISSIONS))
def test_no_permission_without_a_path(book: RoleBook, role: str, asked: str) -> None:
    """A role has a permission exactly if a role that it reaches grants a covering pattern; the path says which."""
    granting = {
        name for name in reachable(book, role) if any(covers(p, asked) for p in book.roles[name].grants)
    }
    path = book.why(role, asked)
    assert (path is not None) == bool(granting)
    if path is not None:
        assert path.roles[0] == role
        assert path.roles[-1] in granting
        assert covers(path.pattern, asked)
        assert path.pattern in book.roles[path.roles[-1]].grants
        for above, below in zip(path.roles, path.roles[1:], strict=False):
            assert below in book.roles[above].inherits


@given(books(), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_nobody_gives_away_more_than_they_have(book: RoleBook, held: str, wanted: str) -> None:
    """Whoever may grant a role can do everything that its holder could."""
    if book.may_grant([held], wanted):
        for asked in PERMISSIONS:
            assert book.why(wanted, asked) is None or book.why(held, asked) is not None


@pytest.mark.parametrize(
    ("granted", "asked", "expected"),
    [
        ("posts:delete", "posts:delete", True),
        ("posts:*", "posts:delete", True),
        ("admin:all", "posts:delete", True),
        ("posts:delete", "posts:read", False),
        ("posts:*", "postscripts:read", False),
        ("post:*", "posts:read", False),
        ("admin:*", "posts:read", False),
        ("users:all", "users:read", False),
    ],
)
def test_what_a_pattern_covers(granted: str, asked: str, expected: bool) -> None:
    """Whole names only; `*` stands for every action, and only `admin:all` for everything."""
    assert covers(granted, asked) is expected


@pytest.mark.parametrize(
    "words",
    [
        "",
        "posts",
        "posts:",
        ":read",
        "posts:*",
        "*:*",
        "*",
        "Posts:read",
        "posts:read:all",
        "posts read",
        "p\n:r",
    ],
)
def test_a_question_names_one_permission(words: str) -> None:
    """A wildcard or a typing mistake in a question is the developer's mistake, not a quiet no."""
    with pytest.raises(Misuse, match="no permission"):
        permission(words)


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        ([Role("a", ("everything",))], "grants nothing"),
        ([Role("a", ("*:*",))], "grants nothing"),
        ([Role("a", inherits=("b",))], "no such role"),
        ([Role("a", inherits=("a",))], "circle: a → a"),
        (
            [Role("a", inherits=("b",)), Role("b", inherits=("c",)), Role("c", inherits=("b",))],
            "circle: b → c → b",
        ),
    ],
)
def test_broken_roles_are_refused_at_start(roles: list[Role], says: str) -> None:
    """The message names what is wrong."""
    with pytest.raises(Misuse, match=says):
        RoleBook.of(roles)


def test_the_seeded_roles() -> None:
    """`user` can do nothing, `superadmin` everything, and an admin cannot make a superadmin."""
    book = RoleBook.of(SEEDED)
    assert book.patterns("user") == ()
    assert book.why(SUPERADMIN, "whatever:comes") is not None
    assert book.why("admin", "users:disable") is not None
    assert book.why("admin", "posts:delete") is None
    assert book.may_grant(["admin"], "moderator")
    assert not book.may_grant(["admin"], SUPERADMIN)
    assert not book.may_grant([], "admin")
    assert not book.may_grant([SUPERADMIN], "nobody defined this")
    empty = RoleBook.of((*SEEDED, Role("auditor")))
    assert not empty.may_grant(["admin"], "auditor"), "a role that lists nothing may mean anything"
    assert empty.may_grant(["auditor"], "auditor")
    assert empty.may_grant([SUPERADMIN], "auditor")


def test_a_role_can_be_replaced() -> None:
    """A deployment's own `moderator` takes the place of the seeded one."""
    book = RoleBook.of([*SEEDED, Role("moderator", ("posts:*",), ("user",))])
    assert str(book.why("admin", "posts:delete")) == "admin → moderator → posts:*"
