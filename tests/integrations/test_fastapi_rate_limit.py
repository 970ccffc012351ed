"""Rate limits that a host puts on its own routes: exact, apart from each other and from ours, told in headers."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, FastAPI, Request

from ostiary.integrations.fastapi import Ostiary, rate_limit, signed_in
from ostiary.kernel.errors import Misuse
from ostiary.kernel.world import World
from ostiary.testing import Kit, TurnedClock, running
from ostiary.testing.kit import PASSWORD
from tests.lessons.test_L35_slow_database import held
from tests.security.stage import drained
from tests.storage.shelf import plain_engine
from tests.support.statements import statements_of

RAN: list[str] = []
ANNA, BERT = "anna@example.com", "bert@example.com"


async def of_customer(request: Request) -> tuple[str, str]:
    """The host's own idea of whom to count."""
    return request.query_params.get("tenant", ""), request.query_params.get("customer", "")


def of_name(request: Request) -> str:
    """Text that somebody chose, such as another one's account id."""
    return request.query_params["name"]


class Host:
    """An application with limits of every kind, beside a kit's engine."""

    def __init__(self, kit: Kit) -> None:
        RAN.clear()
        self.kit = kit
        self.app = FastAPI()
        Ostiary(kit.engine).install(self.app)
        shared = APIRouter(dependencies=[rate_limit("2/h", name="register")])

        @self.app.get("/burst", dependencies=[rate_limit("2/m"), rate_limit("5/h")])
        async def burst() -> None: ...

        @self.app.get("/other", dependencies=[rate_limit("2/m")])
        async def other() -> None: ...

        @self.app.get("/many/{number}", dependencies=[rate_limit("5/h")])
        async def many(number: int) -> None:
            if number == 1:
                RAN.append("/many/1")

        @shared.get("/one")
        async def one() -> None: ...

        @shared.get("/two")
        async def two() -> None: ...

        @self.app.post("/mine", dependencies=[rate_limit("2/h", by="account", name="mine")])
        async def mine() -> None:
            RAN.append("/mine")

        @self.app.get("/me", dependencies=[signed_in()])
        async def me() -> None:
            RAN.append("/me")

        @self.app.get("/customer", dependencies=[rate_limit("1/h", by=of_customer, name="customer")])
        async def customer() -> None: ...

        @self.app.get("/named", dependencies=[rate_limit("2/h", by=of_name, name="mine")])
        async def named() -> None: ...

        self.app.include_router(shared)

    def client(self, ip: str = "192.0.2.10", **given: Any) -> httpx2.AsyncClient:
        """Somebody at an address."""
        transport = httpx2.ASGITransport(self.app, client=(ip, 40_000))
        return httpx2.AsyncClient(transport=transport, base_url=self.kit.base_url, **given)

    async def signed_in(self, email: str) -> tuple[httpx2.AsyncClient, str]:
        """A client of an account's, and its id."""
        await self.kit.signed_up(email)
        client = self.client()
        told = await client.post("/auth/login", json={"identifier": email, "password": PASSWORD})
        client.headers["x-csrf-token"] = client.cookies["__Host-ostiary-csrf"]
        return client, told.json()["user"]["id"]


async def codes(client: httpx2.AsyncClient, *paths: str) -> list[int]:
    """The status of one call after the other."""
    return [(await client.get(path)).status_code for path in paths]


def journal(url: str) -> list[str]:
    """What the journal says about limits."""
    engine = plain_engine(url)
    with engine.connect() as connection:
        found = connection.execute(
            sa.text("SELECT data FROM journal WHERE type = 'rate_limit_reached'")
        ).all()
    engine.dispose()
    return [str(data) for (data,) in found]


async def test_a_network_is_counted_refused_and_told(kit: Kit, database_url: str) -> None:
    """Two a minute are served, the third is a 429 with our headers; from then on memory refuses, until time passes."""
    host = Host(kit)
    async with host.client() as client, host.client("198.51.100.7") as elsewhere:
        first = await client.get("/burst")
        assert first.headers["ratelimit-policy"] == '"2/1m";q=2;w=60, "5/1h";q=5;w=3600'
        assert first.headers["ratelimit"] == '"2/1m";r=1;t=60, "5/1h";r=4;t=3600'
        assert await codes(client, "/burst") == [200]
        refused = await client.get("/burst")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
        assert refused.json()["violated-policies"] == ["2/1m"]
        assert refused.headers["content-type"] == "application/problem+json"
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert refused.headers["ratelimit"].startswith('"2/1m";r=0;t=')
        with statements_of(kit.engine.core.database) as heard:
            again = await client.get("/burst")
        assert (again.status_code, again.headers["ratelimit"][:12]) == (429, '"2/1m";r=0;t')
        assert heard == []
        assert len(journal(database_url)) == 1
        assert "burst 2/1m" in journal(database_url)[0]
        assert await codes(elsewhere, "/burst") == [200]
        assert await codes(client, "/other", "/other", "/other") == [200, 200, 429], "each route by itself"
        assert await codes(client, "/many/1", "/many/2", "/many/3", "/many/4", "/many/5", "/many/6") == [
            200, 200, 200, 200, 200, 429
        ], "an id in the path is no new window"  # fmt: skip
        kit.clock.turn(timedelta(minutes=1, seconds=1))
        # The refused ones counted nowhere: three of five are left in the hour.
        assert await codes(client, "/burst", "/burst") == [200, 200]
        kit.clock.turn(timedelta(minutes=1, seconds=1))
        assert await codes(client, "/burst", "/burst") == [200, 429]


async def test_a_name_is_shared_between_routes_and_never_with_ours(kit: Kit) -> None:
    """Two routes of one router count together; their name, which ostiary uses too, leaves our own limit alone."""
    host = Host(kit)
    async with host.client() as client:
        assert await codes(client, "/one", "/two", "/one") == [200, 200, 429]
        answer = await client.post("/auth/register", json={"email": ANNA, "password": PASSWORD})
        assert answer.status_code == 202
        assert '"register";r=29' in answer.headers["ratelimit"]


async def test_accounts_and_functions_have_windows_of_their_own(kit: Kit) -> None:
    """An account's limit follows it to other networks; no text of somebody's choice reaches it, parts never merge."""
    host = Host(kit)
    anna, anna_id = await host.signed_in(ANNA)
    bert, _ = await host.signed_in(BERT)
    assert [(await bert.get("/named", params={"name": anna_id})).status_code for _ in range(3)] == [
        200,
        200,
        429,
    ]
    first = await anna.post("/mine")
    assert (first.status_code, first.headers["ratelimit"]) == (200, '"mine";r=1;t=3600')
    token = {"x-csrf-token": anna.headers["x-csrf-token"]}
    async with host.client("198.51.100.7", cookies=dict(anna.cookies)) as travelling:
        assert (await travelling.post("/mine", headers=token)).status_code == 200
        assert (await travelling.post("/mine", headers=token)).status_code == 429
        unproven = await travelling.post("/mine")
        assert (unproven.status_code, unproven.json()["code"]) == (403, "csrf_failed")
    assert (await bert.post("/mine")).status_code == 200
    async with host.client() as nobody:
        refused = await nobody.post("/mine")
        assert (refused.status_code, "ratelimit" in refused.headers) == (401, False)
        ways = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc")]
        for expected in (200, 429):
            for tenant, customer in ways:
                told = await nobody.get("/customer", params={"tenant": tenant, "customer": customer})
                assert told.status_code == expected, (tenant, customer)


async def test_the_allow_list_and_networks_of_ipv6(database_url: str, tmp_path: Path) -> None:
    """Allowed networks are never counted; all of an IPv6 /64 is one caller, its neighbour another."""
    async with running(tmp_path, database=database_url, rate_limit_allow=("198.51.100.0/24",)) as kit:
        host = Host(kit)

        async def ask(ip: str) -> int:
            async with host.client(ip) as client:
                return (await client.get("/other")).status_code

        assert [await ask("198.51.100.7") for _ in range(4)] == [200] * 4
        assert [await ask(f"2001:db8:0:1::{n}") for n in range(1, 5)] == [200, 200, 429, 429]
        assert await ask("2001:db8:0:2::1") == 200


async def test_guards_fail_closed_when_the_database_does_not_answer(
    migrated_postgres: str, tmp_path: Path
) -> None:
    """A limit that cannot count and a session that cannot be read are 503 with Retry-After; the route does not run."""
    async with running(tmp_path, database=migrated_postgres) as kit:
        host = Host(kit)
        anna, _ = await host.signed_in(ANNA)
        await drained(kit)
        async with held(migrated_postgres, "LOCK TABLE throttle, session IN ACCESS EXCLUSIVE MODE"):
            found = await asyncio.gather(anna.get("/many/1"), anna.post("/mine"), anna.get("/me"))
        for answer in found:
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
        assert RAN == []
        assert (await anna.get("/me")).status_code == 200
        assert RAN == ["/me"]


async def test_processes_and_requests_at_once_count_together(database_url: str, tmp_path: Path) -> None:
    """Twelve calls at once through two engines on one database: five are served."""
    clock, root = TurnedClock(), World().token().reveal()
    given: dict[str, Any] = {"database": database_url, "clock": clock, "root_secret": root}
    async with running(tmp_path, **given) as one, running(tmp_path, **given) as two:
        clients = [Host(kit).client() for kit in (one, two)]
        found = await asyncio.gather(*(clients[n % 2].get(f"/many/{n}") for n in range(12)))
        assert sorted(answer.status_code for answer in found) == [200] * 5 + [429] * 7
        for client in clients:
            await client.aclose()


def test_mistakes_are_told_when_the_route_is_declared() -> None:
    """No rate, nobody to count by, and a name that is none."""
    mistakes: list[tuple[str, dict[str, Any]]] = [
        ("5", {}), ("0/h", {}), ("5/h", {"by": "ip"}), ("5/h", {"name": "a.b"})
    ]  # fmt: skip
    for words, more in mistakes:
        with pytest.raises(Misuse, match="rate_limit"):
            rate_limit(words, **more)
