"""L34: secrets were compared with `==` and printed in logs. Ours cannot be, and no source file tries."""

import ast
import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.kernel.secret import Secret
from tests.support.tree import ROOT, sources

VALUE = "correct-horse-battery-staple"
REVEALS = {"reveal", "reveal_bytes"}


@dataclass(frozen=True)
class Holder:
    """Something that carries one."""

    password: Secret


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        ascii,
        "{}".format,
        "{!r:>40}".format,
        lambda secret: f"{secret}{secret!s}{secret!r}{secret:x>99}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031  # this is how logging does it
        lambda secret: repr([secret, {"password": secret}, Holder(secret)]),
    ],
)
def test_no_way_of_printing_shows_it(show: Callable[[Any], str]) -> None:
    """Neither text nor bytes come out of repr, str, format, or of what holds a secret."""
    for secret in (Secret(VALUE), Secret(VALUE.encode())):
        assert VALUE not in show(secret)
        assert "***" in show(secret)


def test_a_log_does_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    """Logged as an argument, inside an argument, or in the locals of a traceback, it stays hidden."""
    secret, shown = Secret(VALUE), ""

    def fail(password: Secret) -> None:
        holder = Holder(password)
        raise ValueError(f"cannot use {holder}")

    try:
        fail(secret)
    except ValueError as error:
        logging.getLogger("ostiary.test").exception("failed with %s, %r", secret, [secret])
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "password = Secret(***)" in shown
    assert VALUE not in shown
    assert VALUE not in caplog.text
    assert "Secret(***)" in caplog.text


@pytest.mark.parametrize(
    "take_out",
    [
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        lambda secret: asdict(Holder(secret)),
        json.dumps,
        orjson.dumps,
        bytes,
        hash,
        list,
        vars,
        lambda secret: "".join([secret]),
        lambda secret: "a " + secret,
        lambda secret: {secret: 1},
    ],
)
def test_it_does_not_leave_by_the_way(take_out: Callable[[Any], Any]) -> None:
    """It is not pickled, copied, serialized, hashed or joined: `reveal` is the way out."""
    with pytest.raises(TypeError):
        take_out(Secret(VALUE))


@pytest.mark.parametrize(
    "compare",
    [
        lambda one, other: one == other,
        lambda one, other: one != other,
        lambda one, other: other == one,
        lambda one, other: one in [other, other],
        lambda one, other: [other].index(one),
        lambda one, other: one < other,
    ],
)
@pytest.mark.parametrize("other", [Secret(VALUE), VALUE, VALUE.encode(), None])
def test_equality_raises(compare: Callable[[Any, Any], Any], other: Any) -> None:
    """`==` answers neither True nor False, so a comparison that leaks time cannot be written by accident."""
    with pytest.raises(TypeError):
        compare(Secret(VALUE), other)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_matches(one: bytes, other: bytes) -> None:
    """`matches` compares bytes, whatever form the other side has."""
    assert Secret(one).matches(Secret(other)) == (one == other)
    assert Secret(one).matches(other) == (one == other)
    assert Secret(one).matches(Secret(one))
    assert Secret(one).matches(one)
    assert len(Secret(one)) == len(one)
    assert bool(Secret(one)) == bool(one)


@given(st.text(max_size=40))
def test_text_is_utf8(words: str) -> None:
    """Text comes back as it went in; text that is no Unicode matches nothing and raises nothing."""
    assert Secret(words).reveal() == words
    assert Secret(words).matches(words)
    assert not Secret(words).matches(words + "\ud800")


def revealing(node: ast.AST, names: set[str]) -> bool:
    """Whether an expression is, or slices or strips, what `reveal` gave."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and inner.attr in REVEALS:
            return True
        if isinstance(inner, ast.Name) and inner.id in names:
            return True
    return False


def compared_secrets(tree: ast.AST) -> Iterator[int]:
    """Yield the lines where a revealed secret stands beside `==`, `!=` or `in`, or is a `match` subject or a key."""
    scopes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for scope in [tree, *scopes]:
        names = {
            target.id
            for node in ast.walk(scope)
            if isinstance(node, ast.Assign | ast.NamedExpr) and isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Attribute) and node.value.func.attr in REVEALS
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        } if scope is not tree else set()  # fmt: skip
        for node in ast.walk(scope):
            if isinstance(node, ast.Compare):
                forbidden = any(isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in node.ops)
                sides = [side for side in (node.left, *node.comparators) if not measured(side)]
                if forbidden and any(revealing(side, names) for side in sides):
                    yield node.lineno
            elif isinstance(node, ast.Match) and revealing(node.subject, names):
                yield node.lineno


def measured(node: ast.AST) -> bool:
    """Whether only the length is looked at."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"


@pytest.mark.parametrize(
    "source",
    [
        "x.reveal() == y",
        "y != x.reveal_bytes()",
        "x.reveal() in known",
        "y in (x.reveal(), z)",
        "x.reveal().strip() == y",
        "def f(x, y):\n    found = x.reveal()\n    return found == y",
        "async def f(x, y):\n    if (found := x.reveal()) and y == found[3:]:\n        pass",
        "match x.reveal():\n    case 'a': pass",
    ],
)
def test_a_comparison_is_seen(source: str) -> None:
    """The rule below can fail."""
    assert list(compared_secrets(ast.parse(source)))


def test_no_source_compares_a_revealed_secret() -> None:
    """Whoever has to compare uses `Secret.matches`, which takes the same time for every answer."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources()
        for line in compared_secrets(ast.parse(path.read_text()))
    ]
    assert found == []
