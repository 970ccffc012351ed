"""The text of the revocation feed: written, read again, and refused when anything about it is wrong."""

import hashlib
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.protocols import revocations
from ostiary.protocols.jose import jwt
from ostiary.protocols.jose.refusals import TokenRefused, Why
from ostiary.protocols.revocations import MOST_ENTRIES, Entry, Page, session_mark, subject_mark
from tests.protocols.jose.corpus import ISSUER, KEY, NOW, PUBLIC, STRANGER, T, forge, header

LEEWAY = timedelta(seconds=30)
PAGE = Page(
    (
        Entry("session", session_mark("session-1"), T + 900),
        Entry("key", "old", T + 900),
        Entry("subject", subject_mark("account-1"), T + 900, 8),
    ),
    next="cursor-2",
    more=False,
)
CLAIMS: dict[str, Any] = {
    "iss": ISSUER, "iat": T, "exp": T + 60, "next": "cursor-2", "more": False,
    "entries": [{"kind": "session", "id": "abc", "until": T + 900}],
}  # fmt: skip


def read(text: str, now: Any = NOW) -> Page:
    """Read a page as a follower does."""
    return revocations.read_page(text, PUBLIC, ISSUER, now, LEEWAY)


def test_a_page_comes_back_as_it_was_written() -> None:
    """Writer and reader mean the same."""
    assert read(revocations.write_page(KEY, ISSUER, PAGE, NOW)) == PAGE
    assert read(jwt.write(KEY, CLAIMS, "revocations+jwt")).entries == (Entry("session", "abc", T + 900),)


def test_marks_are_plain_hashes() -> None:
    """Any follower, in any language, can compute how the feed names a session or a subject."""
    for mark, text in ((session_mark("s-1"), b"sid:s-1"), (subject_mark("a-1"), b"sub:a-1")):
        assert mark == urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()


def test_a_full_page_is_read() -> None:
    """The largest page fits into every limit of the reader, and one entry more does not."""
    entries = tuple(
        Entry("subject", subject_mark(f"account-{n}"), T + 900, 2**62) for n in range(MOST_ENTRIES)
    )
    assert (
        read(revocations.write_page(KEY, ISSUER, Page(entries, "c" * 1024, more=True), NOW)).entries
        == entries
    )
    with pytest.raises(TokenRefused):
        read(revocations.write_page(KEY, ISSUER, Page((*entries, entries[0]), "c", more=True), NOW))


WRONG: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "old": {"iat": T - 120, "exp": T - 60},
    "from the future": {"iat": T + 600, "exp": T + 660},
    "for somebody": {"aud": "https://api.example.com"},
    "entries no list": {"entries": {}},
    "entries of text": {"entries": ["session"]},
    "next no text": {"next": 1},
    "next empty": {"next": ""},
    "next very long": {"next": "c" * 1025},
    "more no truth value": {"more": 0},
    "an unknown kind": {"entries": [{"kind": "account", "id": "a", "until": T}]},
    "no kind": {"entries": [{"id": "a", "until": T}]},
    "no id": {"entries": [{"kind": "key", "until": T}]},
    "an empty id": {"entries": [{"kind": "key", "id": "", "until": T}]},
    "no until": {"entries": [{"kind": "key", "id": "a"}]},
    "until with a fraction": {"entries": [{"kind": "key", "id": "a", "until": T + 0.5}]},
    "until beyond all times": {"entries": [{"kind": "key", "id": "a", "until": 10**15}]},
    "a subject without version": {"entries": [{"kind": "subject", "id": "a", "until": T}]},
    "a version of text": {"entries": [{"kind": "subject", "id": "a", "until": T, "version": "8"}]},
    "a version of truth": {"entries": [{"kind": "subject", "id": "a", "until": T, "version": True}]},
    "a kind in a list": {"entries": [{"kind": ["key"], "id": "a", "until": T}]},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_page_is_refused(name: str) -> None:
    """A page that is not understood to the last entry is not followed."""
    with pytest.raises(TokenRefused):
        read(jwt.write(KEY, CLAIMS | WRONG[name], "revocations+jwt"))


@pytest.mark.parametrize("name", ["iss", "iat", "exp", "next", "more", "entries"])
def test_every_claim_of_a_page_must_be_there(name: str) -> None:
    """No member has a default."""
    claims = {each: value for each, value in CLAIMS.items() if each != name}
    with pytest.raises(TokenRefused):
        read(jwt.write(KEY, claims, "revocations+jwt"))


def test_a_page_is_signed_by_its_issuer_and_is_of_its_kind() -> None:
    """Neither a stranger's signature nor another kind of token makes a page."""
    with pytest.raises(TokenRefused) as caught:
        read(revocations.write_page(STRANGER, ISSUER, PAGE, NOW))
    assert caught.value.why is Why.SIGNATURE
    with pytest.raises(TokenRefused) as caught:
        read(jwt.write(KEY, CLAIMS, "at+jwt"))
    assert caught.value.why is Why.TYPE


def test_a_page_holds_for_a_minute() -> None:
    """An old page cannot be played again, beyond what clocks may be apart."""
    text = revocations.write_page(KEY, ISSUER, PAGE, NOW)
    assert read(text, NOW + timedelta(seconds=89)) == PAGE
    for moment in (NOW + timedelta(seconds=90), NOW - timedelta(seconds=31)):
        with pytest.raises(TokenRefused):
            read(text, moment)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_ENTRY = st.dictionaries(st.sampled_from(["kind", "id", "until", "version"]), _JSON | st.just("subject"))


@given(st.dictionaries(st.sampled_from(["next", "more"]), _JSON), st.lists(_ENTRY, max_size=3))
def test_whatever_is_signed_it_is_a_page_or_refused(members: dict[str, Any], entries: list[Any]) -> None:
    """No page makes the reader fail in another way than by its refusal."""
    try:
        page = read(forge(header(typ="revocations+jwt"), CLAIMS | members | {"entries": entries}))
    except TokenRefused:
        return
    assert all(entry.version is not None for entry in page.entries if entry.kind == "subject")
