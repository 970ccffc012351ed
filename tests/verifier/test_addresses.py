"""Where an issuer may be."""

import pytest

from ostiary.kernel.errors import Misuse
from ostiary.verifier import SyncVerifier, Verifier
from ostiary.verifier.issuer import Issuer


def test_the_fixed_paths_follow_the_name() -> None:
    """Keys and feed are where ostiary has them, also below a path, and the name stays exactly as given."""
    for name, base in (
        ("https://id.example.com", "https://id.example.com"),
        ("https://a.example/id/", "https://a.example/id"),
    ):
        issuer = Issuer.at(name)
        assert issuer == Issuer(name, f"{base}/oauth2/jwks", f"{base}/auth/revocations")


def test_the_paths_may_be_elsewhere() -> None:
    """Behind a gateway keys and feed may have other addresses than the name says."""
    issuer = Issuer.at("https://id.example.com", "http://127.0.0.1:9/k", "https://inside.example/f")
    assert (issuer.keys_url, issuer.feed_url) == ("http://127.0.0.1:9/k", "https://inside.example/f")


def test_a_cursor_is_data() -> None:
    """Whatever the issuer calls a cursor, it stays one value of the query."""
    issuer = Issuer.at("https://id.example.com")
    assert issuer.feed_page(None, 0) == "https://id.example.com/auth/revocations?wait=0"
    assert issuer.feed_page("a&wait=9#/ü", 25).endswith("?after=a%26wait%3D9%23%2F%C3%BC&wait=25")


@pytest.mark.parametrize(
    "url",
    [
        "", "id.example.com", "/jwks", "http://id.example.com", "http://10.0.0.1", "http://localhost.example.com",
        "ftp://id.example.com", "https://", "https://id.example.com?x=1", "https://id.example.com#x",
        "https://user@id.example.com", "https://id.example.com:port", "https://id.example.com\n", "https://ïd.example",
        "https://[::1", "https://id.example.com/a b", "//id.example.com",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_misuse(url: str) -> None:
    """A mistake in an address shows when the program starts; keys never come over plain http from afar."""
    for kind in (Verifier, SyncVerifier):
        with pytest.raises(Misuse, match="issuer"):
            kind(url, "https://api.example.com")
    if url:
        with pytest.raises(Misuse, match="keys_url"):
            Issuer.at("https://id.example.com", url)
        with pytest.raises(Misuse, match="feed_url"):
            Issuer.at("https://id.example.com", None, url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
def test_plain_http_is_for_this_machine(url: str) -> None:
    """Development needs no certificate."""
    assert Issuer.at(url).name == url
