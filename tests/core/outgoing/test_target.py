"""Which URLs may be called, and what is read from them: tables."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.core.outgoing.failure import Failure, OutOfReach
from ostiary.core.outgoing.reach import Reach
from ostiary.core.outgoing.target import read_target

READ = [
    ("https://example.com", "example.com", 443, "/", "example.com"),
    ("HTTPS://EXAMPLE.com/Path?Query=%20", "example.com", 443, "/Path?Query=%20", "example.com"),
    ("https://example.com?a=b", "example.com", 443, "/?a=b", "example.com"),
    ("https://example.com:443/", "example.com", 443, "/", "example.com"),
    ("https://example.com:8443/", "example.com", 8443, "/", "example.com:8443"),
    ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
    ("https://a.b-c.1e100.net/@x:y", "a.b-c.1e100.net", 443, "/@x:y", "a.b-c.1e100.net"),
    ("https://1.1.1.1/", "1.1.1.1", 443, "/", "1.1.1.1"),
    ("https://[2606:4700::1111]:8443/", "2606:4700::1111", 8443, "/", "[2606:4700::1111]:8443"),
    ("https://[2606:4700:0:0::1111]/", "2606:4700::1111", 443, "/", "[2606:4700::1111]"),
]
REFUSED = [
    # schemes
    ("http://example.com/", Failure.URL),
    ("ftp://example.com/", Failure.URL),
    ("file:///etc/passwd", Failure.URL),
    ("gopher://example.com/", Failure.URL),
    ("javascript:alert(1)", Failure.URL),
    ("//example.com/", Failure.URL),
    ("/path", Failure.URL),
    ("example.com", Failure.URL),
    ("https:example.com", Failure.URL),
    ("https:/example.com", Failure.URL),
    ("https:///example.com", Failure.URL),
    ("", Failure.URL),
    # user info, and what some readers take for it
    ("https://user@example.com/", Failure.URL),
    ("https://user:password@example.com/", Failure.URL),
    ("https://example.com@10.0.0.1/", Failure.URL),
    ("https://example.com:443@10.0.0.1/", Failure.URL),
    ("https://example.com%40evil.example/", Failure.URL),
    ("https://example.com\\@evil.example/", Failure.URL),
    ("https://example.com\\.evil.example/", Failure.URL),
    # fragments, spaces, control characters, other alphabets
    ("https://example.com/#fragment", Failure.URL),
    ("https://example.com#@evil.example/", Failure.URL),
    ("https://example.com/a b", Failure.URL),
    (" https://example.com/", Failure.URL),
    ("https://example.com/\n", Failure.URL),
    ("https://example.com/\r\nHost: evil.example", Failure.URL),
    ("https://exam\tple.com/", Failure.URL),
    ("https://example.com\x00.evil.example/", Failure.URL),
    ("https://bücher.example/", Failure.URL),
    ("https://ⓔxample.com/", Failure.URL),
    ("https://example。com/", Failure.URL),
    ("https://example.com/\u2028", Failure.URL),
    # hosts
    ("https://example.com./", Failure.URL),
    ("https://.example.com/", Failure.URL),
    ("https://example..com/", Failure.URL),
    ("https://-example.com/", Failure.URL),
    ("https://example-.com/", Failure.URL),
    ("https://exa_mple.com/", Failure.URL),
    (f"https://{'a' * 64}.example/", Failure.URL),
    (f"https://{'a.' * 127}example/", Failure.URL),
    (f"https://example.com/{'a' * 2048}", Failure.URL),
    # ports
    ("https://example.com:/", Failure.URL),
    ("https://example.com:0/", Failure.URL),
    ("https://example.com:0443/", Failure.URL),
    ("https://example.com:65536/", Failure.URL),
    ("https://example.com:443443/", Failure.URL),
    ("https://example.com:+443/", Failure.URL),
    ("https://example.com:22/", Failure.PORT),
    ("https://1.1.1.1:25/", Failure.PORT),
    # addresses in forms that resolvers understand
    ("https://127.1/", Failure.URL),
    ("https://2130706433/", Failure.URL),
    ("https://017700000001/", Failure.URL),
    ("https://0x7f000001/", Failure.URL),
    ("https://0x7f.0.0.1/", Failure.URL),
    ("https://0177.0.0.1/", Failure.URL),
    ("https://127.0.0.01/", Failure.URL),
    ("https://127.0.0.1./", Failure.URL),
    ("https://1.1.1.1.1/", Failure.URL),
    ("https://1.1.1/", Failure.URL),
    ("https://1.1.1.256/", Failure.URL),
    ("https://0x/", Failure.URL),
    ("https://example.0x7f/", Failure.URL),
    ("https://[::1/", Failure.URL),
    ("https://[::1%25eth0]/", Failure.URL),
    ("https://[1.1.1.1]/", Failure.URL),
    ("https://[]/", Failure.URL),
    ("https://::1/", Failure.URL),
    ("https://[v1.fe80::a]/", Failure.URL),
    # addresses that are out of reach
    ("https://127.0.0.1/", Failure.ADDRESS),
    ("https://10.0.0.1/", Failure.ADDRESS),
    ("https://169.254.169.254/latest/meta-data/", Failure.ADDRESS),
    ("https://0.0.0.0/", Failure.ADDRESS),
    ("https://[::1]/", Failure.ADDRESS),
    ("https://[::]/", Failure.ADDRESS),
    ("https://[::ffff:7f00:1]/", Failure.ADDRESS),
    ("https://[::ffff:127.0.0.1]/", Failure.ADDRESS),
    ("https://[64:ff9b::10.0.0.1]/", Failure.ADDRESS),
    ("https://[2002:7f00:1::]/", Failure.ADDRESS),
    ("https://[fe80::1]/", Failure.ADDRESS),
]
REACH = Reach(ports=frozenset({443, 8443}))


@pytest.mark.parametrize(("url", "host", "port", "path", "authority"), READ)
def test_urls_are_read(url: str, host: str, port: int, path: str, authority: str) -> None:
    """Host in lower case, address in its one form, port, path with query, and what the Host header says."""
    target = read_target(url, REACH)
    assert (target.host, target.port, target.path, target.authority) == (host, port, path, authority)
    assert (target.address is not None) == (host[0] in "12")


@pytest.mark.parametrize(("url", "failure"), REFUSED)
def test_others_are_refused(url: str, failure: Failure) -> None:
    """L18: nothing is guessed, mended or decoded; the message repeats no more than a host that was understood."""
    with pytest.raises(OutOfReach) as refused:
        read_target(url, REACH)
    assert refused.value.failure is failure
    assert "password" not in str(refused.value)
    assert "meta-data" not in str(refused.value)


@given(st.text(max_size=60))
def test_no_text_reaches_this_machine(text: str) -> None:
    """Whatever is written into a URL is refused as one of ours, or names a host that is still to be judged."""
    for url in (text, f"https://{text}", f"https://example.com{text}", f"https://{text}/"):
        try:
            target = read_target(url, REACH)
        except OutOfReach:
            continue
        assert target.scheme == "https"
        assert target.host
        assert target.host.isascii()
        assert set(target.host) <= set("0123456789abcdefghijklmnopqrstuvwxyz-.:")
        assert target.path.startswith("/")
        assert target.path.isprintable()


def test_development_calls_this_machine_by_http() -> None:
    """On any port; any other address stays as closed as in production."""
    reach = Reach(loopback=True)
    assert read_target("http://127.0.0.1:8025/", reach).port == 8025
    assert read_target("http://[::1]/", reach).authority == "[::1]"
    assert read_target("https://127.0.0.1:8443/", reach).port == 8443
    for url in ("http://1.1.1.1/", "https://1.1.1.1:8443/", "http://10.0.0.1/"):
        with pytest.raises(OutOfReach):
            read_target(url, reach)


def test_an_allowed_network_is_still_https() -> None:
    """Naming an internal network opens its addresses, not plain http and no other ports."""
    reach = Reach(allow=(ip_network("10.0.0.0/8"),))
    assert read_target("https://10.0.0.1/", reach).host == "10.0.0.1"
    for url in ("http://10.0.0.1/", "https://10.0.0.1:8443/"):
        with pytest.raises(OutOfReach):
            read_target(url, reach)
