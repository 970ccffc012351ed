"""Addresses, base URLs, cookies, origins and the page policy: plain functions of what they are given."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.http.address import canonical_ip, client_ip, forwarded_scheme
from ostiary.http.cookies import Cookies, Presented
from ostiary.http.cors import cors_headers
from ostiary.http.csrf import cross_site_reason
from ostiary.http.headers import page_csp
from ostiary.http.problems import challenge, limit_headers, seconds_up
from ostiary.http.settings import HttpSettings, check_base_url, parse_base_url
from ostiary.kernel.errors import Code, Misuse
from ostiary.kernel.origin import Quota
from ostiary.kernel.secret import Secret

SECURE = parse_base_url("https://auth.example.com")
LOCAL = parse_base_url("http://localhost:8000")


@pytest.mark.parametrize(
    ("written", "ip"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7\t", "203.0.113.7"),
        ("203.0.113.7:443", "203.0.113.7"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%eth0]:80", "fe80::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("203.0.113.07", None),
        ("203.0.113.7:port", None),
        ("203.0.113", None),
        ("[203.0.113.7]", None),
        ("[2001:db8::1", None),
        ("[2001:db8::1]x", None),
        ("2001:db8::1 evil", None),
        ("1" * 65, None),
        ("٣.٣.٣.٣", None),
    ],
)
def test_an_address_is_read_as_proxies_write_it(written: str, ip: str | None) -> None:
    """Bare, with port, in brackets, with a zone; anything else is no address."""
    assert canonical_ip(written) == ip


@given(st.text(max_size=80))
def test_no_text_breaks_the_address_reader(text: str) -> None:
    """Whatever the header says, the answer is an address that reads back as itself, or None."""
    found = canonical_ip(text)
    assert found is None or canonical_ip(found) == found


@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(0, 3))
def test_no_header_breaks_the_client_address(headers: list[bytes], trusted: int) -> None:
    """Garbage gives the peer or an address."""
    found = client_ip("192.0.2.1", headers, trusted)
    assert found == "192.0.2.1" or canonical_ip(found) == found


@pytest.mark.parametrize(
    ("scheme", "proto", "trusted", "expected"),
    [
        ("http", None, 0, "http"),
        ("http", b"https", 0, "http"),
        ("http", b"https", 1, "https"),
        ("https", b"http", 1, "http"),
        ("http", b"https, http", 1, "http"),
        ("http", b"http, https, http", 2, "https"),
        ("http", b"https", 2, "https"),
        ("http", b"HTTPS ", 1, "https"),
        ("https", b"javascript", 1, "http"),
    ],
)
def test_the_scheme_is_the_trusted_proxys_word(
    scheme: str, proto: bytes | None, trusted: int, expected: str
) -> None:
    """X-Forwarded-Proto counts only as far as the proxies are ours."""
    assert forwarded_scheme(scheme, proto, trusted) == expected


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://auth.example.com", "https://auth.example.com"),
        ("HTTPS://Auth.Example.com/", "https://auth.example.com"),
        ("https://auth.example.com:443", "https://auth.example.com"),
        ("https://auth.example.com:8443", "https://auth.example.com:8443"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://app.localhost", "http://app.localhost"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_a_base_url_is_an_origin(url: str, origin: str) -> None:
    """Parsed strictly and written as browsers write it."""
    assert parse_base_url(url).origin == origin


@pytest.mark.parametrize(
    "url",
    [
        "auth.example.com", "ftp://a.example", "https://", "https://a.example/path", "https://a.example?x",
        "https://a.example#x", "https://user@a.example", "https://a.example:0", "https://a.example:99999",
        "http://a.example", "http://127.0.0.1.evil.example", "http://localhost.evil.example", "https://a b",
        "https://bücher.example", "https://a.example\n", "https://[::zz]", "https://*.example",
    ],
)  # fmt: skip
def test_anything_else_is_no_base_url(url: str) -> None:
    """No path, no user info, no plain http but on loopback."""
    with pytest.raises(ValueError, match=r"."):
        parse_base_url(url if not url.endswith("\n") else url + "x")


def test_plain_http_is_for_development() -> None:
    """Without dev a loopback URL over http does not start, nor does a missing one."""
    assert check_base_url("http://localhost:8000", dev=True) == LOCAL
    assert check_base_url("https://auth.example.com", dev=False) == SECURE
    for url in ("http://localhost:8000", "", "nonsense"):
        with pytest.raises(Misuse, match="base_url"):
            check_base_url(url, dev=False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"front_end_origins": ("*",)}, {"front_end_origins": ("http://app.example.com",)},
        {"front_end_origins": ("https://App.example.com",)}, {"front_end_origins": ("https://app.example.com/",)},
        {"front_end_origins": ("null",)}, {"trusted_proxies": -1}, {"body_limit": 1},
        {"csp_extra": ("script-src 'unsafe-inline'",)}, {"csp_extra": ("script-src *",)},
        {"csp_extra": ("script-src https:",)}, {"csp_extra": ("frame-ancestors https://a.example",)},
        {"csp_extra": ("img-src",)}, {"csp_extra": ("img-src https://a.example; script-src https://b.example",)},
        {"csp_extra": ("",)}, {"after_sign_in": ("javascript:alert(1)",)}, {"after_sign_in": ("/account",)},
        {"after_sign_in": ("https://a@b.example/",)}, {"after_sign_in": ("http://a.example/",)},
        {"base_url": "http://a.example"},
    ],
)  # fmt: skip
def test_settings_that_would_weaken_are_refused(wrong: dict[str, object]) -> None:
    """Each is a ValueError that names the setting."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        HttpSettings(**wrong)  # type: ignore[arg-type]


def test_the_page_policy_can_be_widened_but_not_opened() -> None:
    """An addition lands in its directive; nothing says unsafe."""
    policy = page_csp(("img-src https://cdn.example",))
    assert "img-src 'self' data: https://cdn.example" in policy
    assert "unsafe" not in policy
    for fixed in ("default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert fixed in policy


def test_cookie_flags_on_https() -> None:
    """Host prefix, Secure, Lax, path /; HttpOnly but for the CSRF token; Max-Age only when remembered."""
    cookies = Cookies(SECURE)
    assert cookies.set_session(Secret("a.b")) == (
        b"set-cookie",
        b"__Host-ostiary=a.b; Path=/; Secure; HttpOnly; SameSite=Lax",
    )
    assert cookies.set_csrf("t") == (b"set-cookie", b"__Host-ostiary-csrf=t; Path=/; Secure; SameSite=Lax")
    assert cookies.set_pre("p")[1] == b"__Host-ostiary-pre=p; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert b"Max-Age=34560000;" in cookies.set_session(Secret("a.b"), timedelta(days=1000))[1]
    assert [header[1].partition(b"; ")[0] for header in cookies.clear_session()] == [
        b"__Host-ostiary=",
        b"__Host-ostiary-csrf=",
    ]
    assert all(b"Max-Age=0" in header[1] for header in [*cookies.clear_session(), cookies.clear_pre()])


def test_cookie_names_on_loopback() -> None:
    """Browsers refuse the prefix without https, so the names go without."""
    assert Cookies(LOCAL).set_session(Secret("a.b"))[1] == b"ostiary=a.b; Path=/; HttpOnly; SameSite=Lax"


@pytest.mark.parametrize("value", ["a;b", "a b", "", "a\r\nset-cookie: x", "ä", "a" * 3801])
def test_no_cookie_value_breaks_out(value: str) -> None:
    """A value that would end the cookie is a mistake of ours."""
    with pytest.raises(Misuse):
        Cookies(SECURE).set_csrf(value)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, Presented()),
        (b"", Presented()),
        (b"theme=dark; ostiary=a.b", Presented()),
        (b"__Host-ostiary=a.b", Presented(session="a.b")),
        (
            b"x=1;__Host-ostiary=a.b ; __Host-ostiary-csrf=t;  __Host-ostiary-pre=p",
            Presented("a.b", "t", "p"),
        ),
        (b"x__Host-ostiary=a.b", Presented()),
        (b"=__Host-ostiary=a.b", Presented()),
        (b"__Host-ostiary=a.b; __Host-ostiary=c.d", Presented(is_unusable=True)),
        (b"__Host-ostiary=a.b; __Host-ostiary-csrf=t; __Host-ostiary-csrf=u", Presented(is_unusable=True)),
        (b'__Host-ostiary="a.b"', Presented(is_unusable=True)),
        (b"__Host-ostiary=", Presented(is_unusable=True)),
        (b"__Host-ostiary", Presented(is_unusable=True)),
        (b"__Host-ostiary=a b", Presented(is_unusable=True)),
        (b"__Host-ostiary=a.b; " + b"x" * 40_000, Presented(is_unusable=True)),
    ],
)
def test_cookies_are_read_strictly(header: bytes | None, expected: Presented) -> None:
    """Two cookies of one name count as none: nobody may choose for the browser which one holds."""
    assert Cookies(SECURE).read(header) == expected


@given(st.binary(max_size=200))
def test_no_cookie_header_breaks_the_reader(header: bytes) -> None:
    """Any bytes are read or refused."""
    Cookies(SECURE).read(b"__Host-ostiary=" + header)


@pytest.mark.parametrize(
    ("origin", "site", "is_ours"),
    [
        (None, None, True),
        (None, b"same-origin", True),
        (None, b"none", True),
        (None, b"same-site", False),
        (None, b"cross-site", False),
        (None, b"", False),
        (b"https://auth.example.com", None, True),
        (b"https://app.example.com", b"same-site", True),
        (b"https://app.example.com.evil.example", None, False),
        (b"https://auth.example.com:443", None, False),
        (b"http://auth.example.com", None, False),
        (b"HTTPS://AUTH.EXAMPLE.COM", None, False),
        (b"https://auth.example.com, https://evil.example", None, False),
        (b"null", b"same-origin", True),
        (b"null", b"same-site", False),
        (b"null", b"cross-site", False),
        (b"null", None, False),
        (b"", b"same-origin", False),
    ],
)
def test_what_counts_as_cross_site(origin: bytes | None, site: bytes | None, is_ours: bool) -> None:
    """Origin decides where it is present, Sec-Fetch-Site where it is not; neither is an old client or a tool."""
    allowed = frozenset({b"https://auth.example.com", b"https://app.example.com"})
    assert (cross_site_reason(origin, site, allowed) is None) == is_ours


def test_cors_names_exact_origins_only() -> None:
    """A front end is named; everybody else gets nothing but Vary."""
    front_ends = frozenset({b"https://app.example.com"})
    assert (b"access-control-allow-origin", b"https://app.example.com") in cors_headers(
        b"https://app.example.com", front_ends
    )
    for other in (None, b"null", b"*", b"https://app.example.com.evil.example"):
        assert cors_headers(other, front_ends) == [(b"vary", b"Origin")]


def test_limit_headers_are_structured_fields() -> None:
    """One item for each limit; names are escaped."""
    quotas = [
        Quota("login", 20, timedelta(minutes=15), 4, timedelta(seconds=119.2)),
        Quota('we"ird\\', 5, timedelta(hours=1), -1, timedelta()),
    ]
    assert limit_headers(quotas) == [
        (b"ratelimit-policy", b'"login";q=20;w=900, "we\\"ird\\\\";q=5;w=3600'),
        (b"ratelimit", b'"login";r=4;t=120, "we\\"ird\\\\";r=0;t=0'),
    ]
    assert limit_headers([]) == []


def test_challenges_tell_expired_from_missing() -> None:
    """RFC 6750 section 3.1: no error without a credential."""
    assert challenge(Code("not_authenticated", 401, "Sign in.", "")) == b'Bearer realm="ostiary"'
    ended = challenge(Code("session_ended", 401, 'It "ended".', ""))
    assert ended == b'Bearer realm="ostiary", error="invalid_token", error_description="It ended."'


@pytest.mark.parametrize(("milliseconds", "seconds"), [(0, 1), (1, 1), (1000, 1), (1001, 2)])
def test_seconds_are_rounded_up(milliseconds: int, seconds: int) -> None:
    """Who waits that long does not come too early."""
    assert seconds_up(timedelta(milliseconds=milliseconds)) == seconds
