"""Rate limits over HTTP: what is counted, what the headers say, and what a full window costs."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from ostiary.testing import Kit
from ostiary.testing.kit import PASSWORD
from tests.security.stage import ask, still, try_password

ANNA = "anna@example.com"
QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"


@pytest.fixture
async def quiet(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine on each database, whose clock stands still."""
    async with still(tmp_path, database=database_url) as kit:
        yield kit


async def spray(kit: Kit, count: int, **given: str) -> list[int]:
    """Try one password at so many accounts."""
    return [
        (await try_password(kit, f"victim{n}@example.com", "Summer 2026!", **given)).status
        for n in range(count)
    ]


async def test_spraying_is_stopped(quiet: Kit) -> None:
    """One password over many accounts from one network: twenty are tried in 15 minutes, elsewhere nobody notices."""
    assert await spray(quiet, 20) == [401] * 20
    quiet.clock.turn(timedelta(seconds=4))
    seen = await try_password(quiet, "victim20@example.com")
    assert (seen.status, seen.hashes, seen.header("retry-after")) == (429, 0, "896")
    assert seen.body == {
        "type": QUOTA_EXCEEDED,
        "title": "Too many attempts. Try again later.",
        "status": 429,
        "code": "too_many_attempts",
        "retry_after": 896,
        "violated-policies": ["sign-in"],
    }
    assert seen.header("ratelimit-policy") == '"sign-in";q=20;w=900'
    assert seen.header("ratelimit") == '"sign-in";r=0;t=896'
    assert (await try_password(quiet, "victim20@example.com", ip="192.0.2.11")).status == 401
    quiet.clock.turn(timedelta(seconds=896))
    assert (await try_password(quiet, "victim20@example.com")).status == 401


async def test_a_full_window_costs_no_statement(quiet: Kit) -> None:
    """Once refused, the next requests of that network are refused from memory alone, with the same answer."""
    await spray(quiet, 20)
    quiet.clock.turn(timedelta(seconds=4))
    first = await try_password(quiet, "victim20@example.com")
    assert first.statements != ()
    for address in ("victim20@example.com", "victim3@example.com", "nobody at all"):
        again = await try_password(quiet, address)
        assert again.statements == ()
        assert (again.status, again.body, again.headers) == (429, first.body, first.headers)
    registration = {"email": ANNA, "password": PASSWORD}
    for number in range(30):
        body = registration | {"email": f"new{number}@example.com"}
        assert (await ask(quiet, "/auth/register", body)).status == 202
    assert (await ask(quiet, "/auth/register", registration)).status == 429
    refused = await ask(quiet, "/auth/register", registration)
    assert (refused.status, refused.statements, refused.hashes) == (429, (), 0)


async def test_headers_count_the_network_and_nothing_else(quiet: Kit) -> None:
    """Policy and state of the network's window, exactly; counters of addresses and accounts are never told."""
    first = await try_password(quiet, "nobody@example.com")
    assert first.header("ratelimit-policy") == '"sign-in";q=20;w=900'
    assert first.header("ratelimit") == '"sign-in";r=19;t=900'
    quiet.clock.turn(timedelta(seconds=100))
    second = await try_password(quiet, "nobody@example.com")
    assert second.header("ratelimit") == '"sign-in";r=18;t=800'
    assert second.header("retry-after") is None
    registration = {"email": ANNA, "password": PASSWORD}
    seen = [await ask(quiet, "/auth/register", registration) for _ in range(4)]
    assert {one.header("ratelimit-policy") for one in seen[:3]} == {'"register";q=30;w=3600'}
    assert [one.header("ratelimit") for one in seen] == [
        '"register";r=29;t=3600',
        '"register";r=28;t=3600',
        '"register";r=27;t=3600',
        None,
    ]
    assert (seen[3].status, seen[3].header("retry-after")) == (429, "3600")
    assert "violated-policies" not in seen[3].body
    assert seen[3].header("ratelimit-policy") is None
    other = await ask(quiet, "/auth/register", {"email": "else@example.com", "password": PASSWORD})
    assert other.header("ratelimit") == '"register";r=26;t=3600', "a refused one is not counted"


async def test_waiting_for_others_repeats_no_header(tmp_path: Path) -> None:
    """A request that waited for sign-ins in progress and was refused tells the limit once."""
    async with still(tmp_path) as kit:
        await spray(kit, 20)
        refused = await try_password(kit, "victim20@example.com")
    assert len(refused.slept) > 1
    assert refused.header("ratelimit") == '"sign-in";r=0;t=900'
    assert refused.body["violated-policies"] == ["sign-in"]


async def test_one_ipv6_network_is_one_caller(quiet: Kit) -> None:
    """Addresses of one /64 share a window; its neighbour has another."""
    for number in range(20):
        seen = await try_password(quiet, f"victim{number}@example.com", ip=f"2001:db8:0:1:{number}::{number}")
        assert seen.header("ratelimit") == f'"sign-in";r={19 - number};t=900'
    quiet.clock.turn(timedelta(seconds=4))
    assert (await try_password(quiet, ANNA, ip="2001:db8:0:1:ffff::1")).status == 429
    assert (await try_password(quiet, ANNA, ip="2001:db8:0:2::1")).header(
        "ratelimit"
    ) == '"sign-in";r=19;t=900'


async def test_resending_is_limited_for_each_network(quiet: Kit) -> None:
    """Thirty mails to thirty addresses an hour, then no more."""
    seen = [await ask(quiet, "/auth/email/resend", {"email": f"a{n}@example.com"}) for n in range(31)]
    assert [one.status for one in seen] == [202] * 30 + [429]
    assert seen[0].header("ratelimit-policy") == '"resend";q=30;w=3600'
    assert seen[30].body["violated-policies"] == ["resend"]


async def test_wrong_links_are_limited(quiet: Kit) -> None:
    """Thirty wrong links in 15 minutes; a right one is given back and works while there is room."""
    (
        await quiet.browser().post("/auth/register", json={"email": ANNA, "password": PASSWORD})
    ).raise_for_status()
    token, _ = await quiet.verification(ANNA)
    for number in range(29):
        seen = await ask(quiet, "/auth/email/verify", {"token": f"wrong-{number}"})
        assert (seen.status, seen.header("ratelimit")) == (400, f'"verify";r={29 - number};t=900')
    assert (await ask(quiet, "/auth/email/verify", {"token": token})).status == 200
    assert (await ask(quiet, "/auth/email/verify", {"token": "wrong"})).status == 400
    quiet.clock.turn(timedelta(seconds=4))
    assert (await ask(quiet, "/auth/email/verify", {"token": "wrong"})).status == 429


@pytest.mark.parametrize("allowed", ["192.0.2.0/24", "2001:db8::/32"])
async def test_an_allowed_network_is_not_limited(tmp_path: Path, allowed: str) -> None:
    """The allow-list lifts limits of networks and their headers; accounts are locked all the same."""
    ip = "192.0.2.10" if "." in allowed else "2001:db8::10"
    async with still(tmp_path, rate_limit_allow=f"10.0.0.0/8,{allowed}") as kit:
        assert await spray(kit, 25, ip=ip) == [401] * 25
        seen = [await try_password(kit, ANNA, ip=ip) for _ in range(6)]
        assert [one.status for one in seen] == [401] * 5 + [429]
        assert {one.header("ratelimit") for one in seen} == {None}
        assert (await try_password(kit, ANNA, ip="198.51.100.1", x_forwarded_for=ip)).status == 429
        elsewhere = await try_password(kit, "bob@example.com", ip="198.51.100.1", x_forwarded_for=ip)
        assert elsewhere.header("ratelimit") == '"sign-in";r=19;t=900', "a forged header is not on the list"


async def test_every_rate_is_a_setting(tmp_path: Path) -> None:
    """A limit in words is kept and told."""
    async with still(tmp_path, signin_failures_per_network="70/1h", register_per_network="2/10m") as kit:
        assert (await try_password(kit, ANNA)).header("ratelimit-policy") == '"sign-in";q=70;w=3600'
        bodies = [{"email": f"a{n}@example.com", "password": PASSWORD} for n in range(3)]
        seen = [await ask(kit, "/auth/register", body) for body in bodies]
        assert [one.status for one in seen] == [202, 202, 429]
        assert seen[2].header("ratelimit") == '"register";r=0;t=600'
