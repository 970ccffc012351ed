"""L25: one function decides where `next` leads: a plain path on our own origin, or a registered destination."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.http.redirects import safe_next

BASE = "https://auth.example.com"
ALLOWED = ("https://app.example.com/welcome",)

GOOD = [
    "/", "/account", "/account?tab=sessions", "/a/b-c_d~e/f.g", "/search?q=a%20b%2Fc", "/x?next=//evil.example",
    "/x#fragment", "/a:b@c", "/100%25", "/a%20b", "https://app.example.com/welcome",
]  # fmt: skip

EVIL = [
    None, "", " ", "//evil.example", "///evil.example", "////evil.example", "/\\evil.example", "\\\\evil.example",
    "\\/evil.example", "/\t/evil.example", "/%09/evil.example", "/\n/evil.example", "/%0a/evil.example", "/%0d%0aX: y",
    "https:evil.example", "https:/evil.example", "https://evil.example", "http://evil.example", "HTTPS://evil.example",
    "https://auth.example.com.evil.example/", "https://auth.example.com@evil.example/", "https://evil.example#@x",
    "//user@evil.example", "//auth.example.com@evil.example", "javascript:alert(1)", "data:text/html,x", "evil.example",
    "account", "./account", "../account", "?next=x", "#x", "/%2fevil.example", "/%2Fevil.example", "/%5cevil.example",
    "/%5Cevil.example", "/%252fevil.example", "/%25252fevil.example", "/a//evil.example", "/..//evil.example",
    "/../evil", "/a/../b", "/a/%2e%2e/b", "/.", "/./x", "/a/..", "/ account", "/account ", " /account", "/a\x00b",
    "/%00", "/\x7f", "/\u3031evil.example", "/\u2028/evil.example", "/\uff0fevil.example",
    "\uff0f\uff0fevil.example", "/\u3002evil", "/ä",
    "/a%zz", "/a%", "/" + "a" * 2000, "https://app.example.com/welcome/", "https://app.example.com/welcome?x",
    "https://APP.example.com/welcome", "https://app.example.com", "/\ud800",
]  # fmt: skip


@pytest.mark.parametrize("raw", GOOD)
def test_own_paths_and_registered_destinations_pass_unchanged(raw: str) -> None:
    """Nothing is normalized: what was judged is what is used."""
    assert safe_next(raw, ALLOWED) == raw


@pytest.mark.parametrize("raw", EVIL)
def test_everything_else_is_dropped(raw: str | None) -> None:
    """Every known way to leave the origin, and every near miss of a registered destination."""
    assert safe_next(raw, ALLOWED) is None


@given(st.text(alphabet="/\\%.:@?#25fFcC09aevil \t\n", max_size=30) | st.text(max_size=30))
def test_whatever_passes_stays_on_our_origin(raw: str) -> None:
    """A browser that resolves it against our base URL is still here."""
    passed = safe_next(raw)
    if passed is not None:
        target = urlsplit(urljoin(BASE, passed))
        assert (target.scheme, target.netloc) == ("https", "auth.example.com")
