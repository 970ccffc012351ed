"""L08: limits count the address that the operator's own proxies saw; forging X-Forwarded-For is of no use."""

from pathlib import Path

import pytest

from ostiary.testing import Kit
from tests.security.stage import still, try_password

PEER = "192.0.2.10"


async def left(kit: Kit, *, ip: str = PEER, **headers: str) -> int:
    """How many failures the window of this caller still allows after one more; each at another account."""
    number = len(headers.get("x_forwarded_for", "")) * 1000 + kit.engine.core.passwords.pool.accepted
    seen = await try_password(kit, f"victim{number}@example.com", ip=ip, **headers)
    state = seen.header("ratelimit")
    assert seen.status == 401
    assert state is not None
    return int(state.partition(";r=")[2].partition(";")[0])


@pytest.mark.parametrize(
    ("proxies", "same", "other"),
    [
        # Without a proxy the header is noise: one caller, whatever it says.
        (0, [{}, {"x_forwarded_for": "203.0.113.1"}, {"x_forwarded_for": "203.0.113.2, 10.0.0.1"}], []),
        # One proxy: the last entry; whatever stands left of it is the caller's own invention.
        (
            1,
            [
                {"x_forwarded_for": "203.0.113.1"},
                {"x_forwarded_for": "198.51.100.9, 203.0.113.1"},
                {"x_forwarded_for": "198.51.100.8, 127.0.0.1, 203.0.113.1"},
                {"x_forwarded_for": "203.0.113.1:4711"},
                {"x_forwarded_for": "::ffff:203.0.113.1"},
            ],
            [{"x_forwarded_for": "203.0.113.1, 203.0.113.2"}, {}],
        ),
        # Two proxies: the last but one.
        (
            2,
            [
                {"x_forwarded_for": "203.0.113.1, 10.0.0.1"},
                {"x_forwarded_for": "203.0.113.1, 10.0.0.2"},
                {"x_forwarded_for": "198.51.100.9, 203.0.113.1, 10.0.0.1"},
            ],
            [{"x_forwarded_for": "203.0.113.1, 203.0.113.2, 10.0.0.1"}, {"x_forwarded_for": "203.0.113.1"}],
        ),
        # IPv6 behind a proxy counts as its /64, too.
        (
            1,
            [{"x_forwarded_for": "2001:db8:1:2::1"}, {"x_forwarded_for": "[2001:DB8:1:2:ffff::9]:443"}],
            [{"x_forwarded_for": "2001:db8:1:3::1"}],
        ),
    ],
)
async def test_the_right_address_is_counted(
    tmp_path: Path, proxies: int, same: list[dict[str, str]], other: list[dict[str, str]]
) -> None:
    """Requests of one caller share a window however they forge; another caller has a window of its own."""
    async with still(tmp_path, trusted_proxies=proxies) as kit:
        assert [await left(kit, **headers) for headers in same] == [19 - n for n in range(len(same))]
        assert [await left(kit, **headers) for headers in other] == [19] * len(other)


@pytest.mark.parametrize("proxies", [1, 2])
async def test_a_garbled_header_falls_back_to_the_peer(tmp_path: Path, proxies: int) -> None:
    """Nonsense where the client should stand puts the request into the peer's bucket: less room, never more."""
    async with still(tmp_path, trusted_proxies=proxies) as kit:
        garbled = ["unknown", "", "evil.example, 10.0.0.1:", "203.0.113.1, , "]
        seen = [await left(kit, x_forwarded_for=words) for words in garbled]
        assert seen == [19, 18, 17, 16]
        assert await left(kit) == 15


async def test_other_headers_name_nobody(tmp_path: Path) -> None:
    """Forwarded, X-Real-IP and their like are not believed, with or without proxies."""
    for proxies in (0, 1):
        folder = tmp_path / str(proxies)
        folder.mkdir()
        async with still(folder, trusted_proxies=proxies) as kit:
            await left(kit)
            for number, name in enumerate(("forwarded", "x_real_ip", "cf_connecting_ip", "true_client_ip")):
                assert await left(kit, **{name: f"203.0.113.{number}"}) == 18 - number
