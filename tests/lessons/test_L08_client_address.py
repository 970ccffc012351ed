"""L08: the client's address is counted from the right through the operator's own proxies; IPv6 counts as /64."""

import pytest

from ostiary.http.address import client_ip
from ostiary.kernel.origin import Origin
from tests.http.stage import build

PEER = "192.0.2.10"


@pytest.mark.parametrize(
    ("trusted", "forwarded", "expected"),
    [
        # No proxy: the header is whatever the client wrote.
        (0, [], PEER),
        (0, [b"203.0.113.7"], PEER),
        # One proxy: the last entry is what it saw; everything to the left is forged.
        (1, [b"203.0.113.7"], "203.0.113.7"),
        (1, [b"1.1.1.1, 203.0.113.7"], "203.0.113.7"),
        (1, [b"1.1.1.1", b"203.0.113.7"], "203.0.113.7"),
        (1, [b"127.0.0.1,,203.0.113.7"], "203.0.113.7"),
        (1, [b"1.1.1.1, [2001:db8::1]:443"], "2001:db8::1"),
        # Two proxies.
        (2, [b"203.0.113.7, 198.51.100.1"], "203.0.113.7"),
        (2, [b"1.1.1.1, 203.0.113.7, 198.51.100.1"], "203.0.113.7"),
        (2, [b"1.1.1.1, 203.0.113.7", b"198.51.100.1"], "203.0.113.7"),
        # Too few entries, or nonsense where the client should stand: the peer, which nobody can forge.
        (1, [], PEER),
        (2, [b"203.0.113.7"], PEER),
        (2, [], PEER),
        (1, [b"203.0.113.7, unknown"], PEER),
        (1, [b"203.0.113.7,"], PEER),
        (2, [b"evil, 198.51.100.1"], PEER),
        (2, [b"1.1.1.1, , 198.51.100.1"], PEER),
        (1, [b"203.0.113.7, \xff\xfe"], PEER),
    ],
)
def test_proxies_are_counted_from_the_right(trusted: int, forwarded: list[bytes], expected: str) -> None:
    """No header of a client's own moves the place that is read."""
    assert client_ip(PEER, forwarded, trusted) == expected


def test_an_unknown_peer_is_no_address() -> None:
    """On a Unix socket only the proxy knows."""
    assert client_ip(None, [b"203.0.113.7"], 0) == ""
    assert client_ip(None, [b"203.0.113.7"], 1) == "203.0.113.7"


def test_a_client_owns_a_whole_ipv6_network() -> None:
    """All addresses of a /64 share one bucket, an IPv4-mapped one shares the IPv4 address's."""
    assert Origin("2001:db8:0:1::1").network == Origin("2001:db8:0:1:ffff::2").network == "2001:db8:0:1::/64"
    assert Origin("2001:db8:0:2::1").network != Origin("2001:db8:0:1::1").network
    assert Origin(client_ip("::ffff:203.0.113.7", [], 0)).network == "203.0.113.7"


@pytest.mark.parametrize(("proxies", "expected"), [(0, PEER), (1, "203.0.113.7"), (2, "1.1.1.1")])
async def test_flows_see_the_counted_address(proxies: int, expected: str) -> None:
    """What a flow is given as origin follows the setting."""
    stage = await build(trusted_proxies=proxies)
    headers = {"x-forwarded-for": "1.1.1.1, 203.0.113.7"}
    async with stage.client(peer=PEER) as client:
        answer = await client.post("/auth/notes", json={"email": "a@example.com"}, headers=headers)
    assert answer.json() == {"ip": expected}


@pytest.mark.parametrize("header", ["host", "x-forwarded-host", "x-original-url", "forwarded"])
async def test_no_header_names_the_host(header: str) -> None:
    """The https redirect leads to the configured base URL whatever the request says."""
    stage = await build()
    async with stage.client("http://auth.example.com") as client:
        answer = await client.get("/login?a=1", headers={header: "evil.example"})
    assert (answer.status_code, answer.headers["location"]) == (308, "https://auth.example.com/login?a=1")
    assert "evil" not in str(answer.headers)
