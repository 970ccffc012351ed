"""JSON has one meaning: whatever two parsers could read differently is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.protocols import strict_json

REPEATED = [
    b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}', b'{"a" :1,"a":2}', b'{"a"\t:1,"a":2}', b'{"a"\n:1,"a"\r\n :2}',
    b'{"a":"\\":","a":1}', b'{"b":"x\\":y","a":1,"a":2}', b'[{"a":1,"a":2}]', b'{"x":{"a":1,"a":2}}',
    b'{"x":"{","a":1,"a":2}', b'{"a":[1,2],"a":[]}', b'{"":1,"":2}', b'{"a":1,"b" :2,"b":"\\":"}',
]  # fmt: skip


@pytest.mark.parametrize("raw", REPEATED)
def test_a_repeated_member_is_refused(raw: bytes) -> None:
    """However the names are written, where the white space is, and whatever stands in the texts around."""
    with pytest.raises(ValueError, match="repeated"):
        strict_json.parse(raw)


@pytest.mark.parametrize(
    ("raw", "match"),
    [
        (b"", "not JSON"), (b"{}{}", "not JSON"), (b"\xef\xbb\xbf{}", "not JSON"), (b'"\\ud800"', "not JSON"),
        (b'"\xff"', "not JSON"), (b"NaN", "not JSON"), (b"1e999", "not JSON"), (b"[1,]", "not JSON"),
        (b"[[[[" + b"]]]]", "deeply"), (b'{"a":[{"b":[]}]}', "deeply"), (b'{"a":[[[]]]}', "deeply"),
        (b"[1,2,3,4,5,6,7,8,9,10]", "many"), (b'{"a":[1,2,3,4,5,6,7,8,9,10,11]}', "many"),
        (b"[" * 5000 + b"]" * 5000, "not JSON"),
    ],
)  # fmt: skip
def test_what_is_beyond_a_bound_or_no_json_is_refused(raw: bytes, match: str) -> None:
    """With bounds of three levels and ten values."""
    with pytest.raises(ValueError, match=match):
        strict_json.parse(raw, deepest=3, most_values=10)


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.sampled_from('ab"\\: {[,\t\n'), max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    _VALUES, st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " : "), (",", "\t:"), (",\r\n", " \n:\r")])
)
def test_whatever_says_one_thing_is_read(value: Any, separators: tuple[str, str]) -> None:
    """However it is spaced and escaped, and whatever its names look like."""
    assert strict_json.parse(json.dumps(value, separators=separators).encode()) == value


@given(st.lists(st.tuples(st.text(st.sampled_from('ab":\\ '), max_size=3), st.integers(0, 9)), max_size=5),
       st.sampled_from([":", " :", "\t:", ": "]))  # fmt: skip
def test_a_repetition_is_always_seen(members: list[tuple[str, int]], colon: str) -> None:
    """The quick look and the close one agree with a plain count of the names."""
    raw = "{" + ",".join(f"{json.dumps(name)}{colon}{value}" for name, value in members) + "}"
    names = [name for name, _ in members]
    if len(set(names)) == len(names):
        assert strict_json.parse(raw.encode()) == dict(members)
    else:
        with pytest.raises(ValueError, match="repeated"):
            strict_json.parse(raw.encode())
