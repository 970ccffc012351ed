"""The normal form of addresses: what is one mailbox is found, what is two stays two, what is none is refused."""

# ruff: noqa: RUF001  # look-alikes are the point

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.core.accounts.address import Address, any_email, find_email, parse_email
from ostiary.kernel.errors import Refused

LONG = "b" * 63


@pytest.mark.parametrize(
    ("typed", "normal", "shown"),
    [
        ("anna@example.com", "anna@example.com", "anna@example.com"),
        ("  Anna@Example.COM\t", "anna@example.com", "Anna@example.com"),
        ("ANNA+Tag@example.com", "anna+tag@example.com", "ANNA+Tag@example.com"),
        ("anna@bücher.example", "anna@xn--bcher-kva.example", "anna@bücher.example"),
        ("anna@BÜCHER.example", "anna@xn--bcher-kva.example", "anna@bücher.example"),
        ("anna@xn--bcher-kva.example", "anna@xn--bcher-kva.example", "anna@bücher.example"),
        ("anna@straße.example", "anna@xn--strae-oqa.example", "anna@straße.example"),
        ("Ａｎｎａ@ｅxample.com", "anna@example.com", "Anna@example.com"),
        ("anna@example。com", "anna@example.com", "anna@example.com"),
        ("ﬁn@example.com", "fin@example.com", "fin@example.com"),
        ("ſam@example.com", "sam@example.com", "sam@example.com"),
        ("e\u0301ve@example.com", "éve@example.com", "éve@example.com"),
        ("ÉVE@example.com", "éve@example.com", "ÉVE@example.com"),
        ("ΟΔΟΣ@example.com", "οδος@example.com", "ΟΔΟΣ@example.com"),
        ("anna@intranet.test", "anna@intranet.test", "anna@intranet.test"),
    ],
)
def test_one_mailbox_has_one_normal_form(typed: str, normal: str, shown: str) -> None:
    """NFKC, lower case, IDNA 2008; mail goes to what was typed, in its compatible form."""
    assert find_email(typed) == Address(normal, shown)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna@example.com", "аnna@example.com"),  # Cyrillic a
        ("strasse@example.com", "straße@example.com"),
        ("STRASSE@example.com", "STRAẞE@example.com"),
        ("mike@example.com", "mıke@example.com"),  # dotless i
        ("anna@apple.com", "anna@аррӏе.com"),
        ("anna@strasse.example", "anna@straße.example"),
        ("οδος@example.com", "οδοσ@example.com"),
        ("anna@example.com", "an.na@example.com"),
        ("anna@example.com", "anna+x@example.com"),
        ("anna@example.com", "anna@example.com.evil.example"),
    ],
)
def test_look_alikes_stay_apart(one: str, other: str) -> None:
    """Two mailboxes never become one account, however alike they look."""
    first, second = find_email(one), find_email(other)
    assert first is not None
    assert second is not None
    assert first.normal != second.normal


@pytest.mark.parametrize(
    "typed",
    [
        "", "@", "anna", "anna@", "@example.com", "anna@@example.com", "anna@b@example.com", "anna@localhost",
        "anna@example.com.", "anna@.example.com", "anna@exa..mple.com", "anna@-x.com", "anna@1.2.3.4",
        "anna@[127.0.0.1]", "anna@[IPv6:::1]",
        '"anna b"@example.com', "an na@example.com", "anna@exa mple.com", "anna..b@example.com",
        ".anna@example.com", "anna.@example.com", "anna@example.com, b@example.com", "Anna <anna@example.com>",
        "anna@example.com\r\nBcc: b@example.com", "anna@example.com\nb@example.com", "anna\0@example.com",
        "anna\u202e@example.com", "anna\u200b@example.com", "anna@ex\u00adample.com", "anna@exa\u200dmple.com",
        "anna@\u2100.com", "anna@xn--a.com", "anna@xn--.com", "\ud800@example.com",
        "anna\N{FULLWIDTH COMMERCIAL AT}b@x.com", f"anna@b{LONG}.com", f"{'a' * 255}@example.com", "a" * 400,
    ],
)  # fmt: skip
def test_hostile_ones_are_refused(typed: str) -> None:
    """What is no plain address is refused, and the refusal repeats none of it."""
    assert find_email(typed) is None
    with pytest.raises(Refused) as refused:
        parse_email(typed)
    assert refused.value.code.name == "invalid_request"
    assert (
        refused.value.details["errors"][0]["message"] == "Enter an e-mail address such as name@example.com."
    )


NAMES = st.text(st.characters(categories=["L", "M", "N"]), min_size=1, max_size=6) | st.sampled_from(
    ["ß", "SS", "ẞ", "ς", "Σ", "σ", "İ", "ı", "K", "ſ", "ŉ", "ᾳ", "ΑΙ", "ﬁ"]
)


@given(NAMES, NAMES)
def test_equal_normal_forms_mean_one_mailbox(one: str, other: str) -> None:
    """Addresses that count as the same differ in case at most, so no mail goes to somebody else."""
    first, second = find_email(f"{one}@example.com"), find_email(f"{other}@example.com")
    if first is not None and second is not None and first.normal == second.normal:
        assert first.shown.lower() == second.shown.lower()


@given(NAMES)
def test_the_normal_form_is_stable(typed: str) -> None:
    """What is shown, and the normal form itself, have that same normal form."""
    found = find_email(f"{typed}@Bücher.example")
    if found is not None:
        for again in (found.shown, found.normal):
            reread = find_email(again)
            assert reread is not None
            assert reread.normal == found.normal


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(typed: str) -> None:
    """No text raises; what is read has one @, no blanks and no control characters."""
    found = find_email(typed)
    if found is not None:
        for form in (found.normal, found.shown):
            assert form.count("@") == 1
            assert form.isprintable()
            assert " " not in form


LOCALS = st.text("abzAZ019.-_+!'é", min_size=0, max_size=8) | st.sampled_from(["a" * 64, "a" * 65])
LABELS = st.text("abzAZ019-", min_size=0, max_size=6) | st.sampled_from(
    ["xn--bcher-kva", "a--b", "ab--c", "-a", "a-", "b" * 63, "b" * 64, "bü", ""]
)
TOPS = st.sampled_from(
    ["com", "COM", "test", "localhost", "local", "Onion", "arpa", "x", "c0m", "co-m", "1", ""]
)


@given(LOCALS, st.lists(LABELS, max_size=4), TOPS, st.sampled_from(["", " ", "\n", "."]))
def test_ordinary_addresses_are_what_the_library_says(
    local: str, labels: list[str], top: str, around: str
) -> None:
    """The short way gives what the library gives, for what it takes and for what it leaves to the library."""
    for typed in (f"{around}{local}@{'.'.join([*labels, top])}{around}", f"{local}@{top}", local):
        assert find_email(typed) == (any_email(typed) if len(typed) <= 254 else None)


@pytest.mark.parametrize(
    "typed",
    [
        "anna@example.com", "ANNA.B+c_d-e@Mail.Example.co", f"{'a' * 64}@example.com", f"{'a' * 65}@example.com",
        f"a@{LONG}.com", f"a@{LONG}b.com", "a@b-c.de", "a@b--c.de", "a@xn--bcher-kva.example", "a@localhost",
        "a@x.localhost", "a@x.test", "a@x.local", "a..b@example.com", ".a@example.com", "a@example.c",
    ],
)  # fmt: skip
def test_where_the_short_way_ends(typed: str) -> None:
    """At each of its limits."""
    assert find_email(typed) == any_email(typed)
