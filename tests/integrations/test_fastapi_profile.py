"""Profile fields in a host application: declared once, changed by owner or host, read on any route."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from ostiary.core.accounts.accounts import Status
from ostiary.integrations.fastapi import CurrentProfile, CurrentUser, Ostiary, ProfileField
from ostiary.kernel.errors import Misuse, Refused
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import account_id, dump, set_status

ANNA = "anna@example.com"
FIELDS = (
    ProfileField("city", longest=20),
    ProfileField("plan", read_only=True, label="Your plan"),
    ProfileField("credits", "number", least=0, most=100, read_only=True),
)


@pytest.fixture
async def fielded(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine with fields made in Python, on each database."""
    async with running(tmp_path, database=database_url, profile_fields=FIELDS) as kit:
        yield kit


def host(auth: Ostiary) -> FastAPI:
    """A host that reads the profile, and sells plans."""
    app = FastAPI()
    auth.install(app)

    @app.get("/hello")
    async def hello(profile: CurrentProfile) -> dict[str, Any]:
        return {"name": profile.name, "plan": profile.values.get("plan", "free")}

    @app.post("/upgrade")
    async def upgrade(user: CurrentUser) -> dict[str, Any]:
        return dict((await auth.set_profile(user.id, {"plan": "gold", "credits": 10})).values)

    return app


async def test_a_host_declares_reads_and_changes(fielded: Kit) -> None:
    """The owner sees the plan and cannot change it; the host can, and a route reads it."""
    await fielded.signed_up(ANNA, name="Anna")
    transport = httpx2.ASGITransport(host(Ostiary(fielded.engine)))
    async with httpx2.AsyncClient(transport=transport, base_url=fielded.base_url) as client:
        assert (await client.get("/hello")).status_code == 401
        await client.post("/auth/login", json={"identifier": ANNA, "password": PASSWORD})
        client.headers["x-csrf-token"] = client.cookies["__Host-ostiary-csrf"]
        assert (await client.get("/hello")).json() == {"name": "Anna", "plan": "free"}
        for cheat in ({"plan": "gold"}, {"credits": 100}):
            assert (await client.patch("/auth/account", json={"profile": cheat})).status_code == 422
        assert (await client.post("/upgrade")).json() == {"plan": "gold", "credits": 10}
        assert (await client.get("/hello")).json() == {"name": "Anna", "plan": "gold"}
        told = (await client.get("/auth/account")).json()
        assert told["fields"][1] == {
            "name": "plan", "label": "Your plan", "kind": "text", "read_only": True,
            "longest": 200, "least": None, "most": None,
        }  # fmt: skip


async def test_what_a_host_may_not(fielded: Kit) -> None:
    """An undeclared field is the developer's mistake; a value that does not fit and an unknown account are refused."""
    await fielded.signed_up(ANNA)
    auth, owner = Ostiary(fielded.engine), await account_id(fielded, ANNA)
    before = await dump(fielded, without=("outbox",))
    with pytest.raises(Misuse, match=r"profile fields \['staus'\] are not declared"):
        await auth.set_profile(owner, {"staus": "x"})
    with pytest.raises(Refused, match="invalid_request"):
        await auth.set_profile(owner, {"credits": 101})
    with pytest.raises(Refused, match="not_found"):
        await auth.set_profile("nobody", {"plan": "gold"})
    assert await auth.profile("nobody") is None
    assert await dump(fielded, without=("outbox",)) == before


async def test_a_disabled_account_still_has_a_plan(fielded: Kit) -> None:
    """What the host keeps about an account does not depend on whether it may sign in."""
    await fielded.signed_up(ANNA)
    auth, owner = Ostiary(fielded.engine), await account_id(fielded, ANNA)
    await set_status(fielded, owner, Status.DISABLED)
    await auth.set_profile(owner, {"plan": "gold"})
    found = await auth.profile(owner)
    assert found is not None
    assert found.values == {"plan": "gold"}


async def test_host_and_owner_at_once(fielded: Kit) -> None:
    """Neither undoes what the other does."""
    anna = await fielded.signed_in(ANNA)
    auth, owner = Ostiary(fielded.engine), await account_id(fielded, ANNA)
    for round_ in range(5):
        await asyncio.gather(
            auth.set_profile(owner, {"credits": round_}),
            anna.patch("/auth/account", json={"profile": {"city": f"City {round_}"}}),
        )
        found = await auth.profile(owner)
        assert found is not None
        assert found.values == {"city": f"City {round_}", "credits": round_}
