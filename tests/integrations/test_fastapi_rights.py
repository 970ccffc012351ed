"""Guards of permissions and roles on a host's routes, with the host's own roles and policies."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, FastAPI

from ostiary.core.access.authority import Declared
from ostiary.integrations.fastapi import (
    CurrentStanding,
    CurrentUser,
    Ostiary,
    Policy,
    Role,
    principal,
    requires,
    requires_role,
    row,
)
from ostiary.kernel.errors import Misuse, Refused
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD

ANNA = "anna@example.com"
NOTES = sa.table("notes", sa.column("id", sa.Integer), sa.column("author_id", sa.Text))
DECLARED = Declared(
    (Role("editor", ("notes:*",), ("moderator",)),),
    (Policy("notes:edit", row.author_id == principal.id, "authors edit their own notes"),),
)


class Host:
    """An application with guards, and Anna signed in to it."""

    def __init__(self, kit: Kit) -> None:
        self.auth = Ostiary(kit.engine)
        self._kit = kit
        self._app = FastAPI()
        self.auth.install(self._app)
        router = APIRouter(dependencies=[requires("notes:read")])

        @router.get("/notes")
        async def notes() -> list[str]:
            return []

        @router.get("/notes/all", dependencies=[requires("notes:delete", "users:read")])
        async def everything() -> list[str]:
            return []

        @self._app.get("/staff", dependencies=[requires_role("moderator", "admin")])
        async def staff() -> dict[str, str]:
            return {}

        @self._app.get("/mine/{author}")
        async def mine(author: str, user: CurrentUser, may: CurrentStanding) -> dict[str, bool]:
            may.require("notes:edit", {"id": 1, "author_id": user.id if author == "me" else author})
            return {"ok": True}

        @self._app.get("/sql")
        async def sql(may: CurrentStanding) -> dict[str, str]:
            return {"sql": str(sa.select(NOTES.c.id).where(may.where("notes:edit", NOTES)))}

        self._app.include_router(router)

    async def signed_in(self) -> tuple[httpx2.AsyncClient, str]:
        """Anna's client, and her id."""
        await self._kit.signed_up(ANNA)
        client = self.client()
        body = {"identifier": ANNA, "password": PASSWORD}
        (await client.post("/auth/login", json=body)).raise_for_status()
        return client, (await client.get("/auth/session")).json()["user"]["id"]

    def client(self) -> httpx2.AsyncClient:
        """Somebody who is not signed in."""
        transport = httpx2.ASGITransport(self._app, client=("192.0.2.10", 40_000))
        return httpx2.AsyncClient(transport=transport, base_url=self._kit.base_url)


@pytest.fixture
async def host(database_url: str, tmp_path: Path) -> AsyncIterator[Host]:
    """The application around an engine with its roles and policies."""
    async with running(tmp_path, database=database_url, declared=DECLARED) as kit:
        yield Host(kit)


async def told(client: httpx2.AsyncClient, path: str) -> tuple[int, Any]:
    """Status, and what the problem names as missing."""
    answer = await client.get(path)
    document = answer.json()
    missing = None if isinstance(document, list) else document.get("permission") or document.get("roles")
    return answer.status_code, missing


async def test_guards_follow_what_is_held(host: Host) -> None:
    """401 for nobody, 403 with what is missing; a role opens at the next request, and closes at the next one."""
    assert (await host.client().get("/notes")).status_code == 401
    anna, anna_id = await host.signed_in()
    assert await told(anna, "/notes") == (403, "notes:read")
    assert await told(anna, "/staff") == (403, ["moderator", "admin"])
    assert await host.auth.grant_role(anna_id, "editor", by="test")
    assert await told(anna, "/notes") == (200, None)
    assert await told(anna, "/staff") == (200, None), "editor inherits moderator"
    assert await told(anna, "/notes/all") == (403, "users:read"), "every one is needed"
    assert await host.auth.revoke_role(anna_id, "editor", by="test")
    assert await told(anna, "/notes") == (403, "notes:read")


async def test_policies_judge_single_things_and_filter_tables(host: Host) -> None:
    """One's own may be edited, somebody else's not; `where` is the same rule for a query."""
    anna, _ = await host.signed_in()
    assert await told(anna, "/mine/me") == (200, None)
    assert await told(anna, "/mine/bert") == (403, "notes:edit")
    assert "notes.author_id" in (await anna.get("/sql")).json()["sql"]


async def test_mistakes_of_the_program(host: Host) -> None:
    """A guard for what is no permission, a role that nobody defined, an account that is not there."""
    with pytest.raises(Misuse, match="no permission"):
        requires("notes")
    _, anna_id = await host.signed_in()
    with pytest.raises(Misuse, match="there is no role"):
        await host.auth.grant_role(anna_id, "nothing", by="test")
    with pytest.raises(Refused):
        await host.auth.grant_role("nobody", "editor", by="test")
    assert not (await host.auth.standing(None)).check("notes:read")
