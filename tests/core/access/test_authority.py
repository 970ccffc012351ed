"""What somebody holds at this moment: grants and roles as the database has them, asked by one query."""

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from ostiary.core.access import access, store
from ostiary.core.access.authority import Authority, Declared, Standing
from ostiary.core.access.expression import principal, row
from ostiary.core.access.policy import Kind, Policy
from ostiary.core.access.roles import Role
from ostiary.kernel.errors import Misuse, Refused
from ostiary.kernel.origin import Origin
from ostiary.kernel.world import World
from ostiary.testing import Kit, running
from tests.core.signin.stage import account_id
from tests.support.server import ROOT_SECRET

ANNA = "anna@example.com"
DECLARED = Declared(
    roles=(Role("editor", ("notes:*",), ("moderator",)),),
    policies=(
        Policy("notes:edit", row.author_id == principal.id, "authors edit their own notes"),
        Policy("notes:edit", row.state == "locked", "nobody edits a locked note", forbids=True),
    ),
    kinds=(Kind("notes", organization="organization_id"),),
)


@pytest.fixture
async def declared(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine of a program with roles and policies, and Anna's account."""
    async with running(tmp_path, database=database_url, declared=DECLARED, root_secret=ROOT_SECRET) as kit:
        await kit.signed_up(ANNA)
        yield kit


async def standing(kit: Kit) -> Standing:
    """What Anna may do now."""
    core = kit.engine.core
    return await core.authority.standing_of(core.database, await account_id(kit, ANNA))


async def give(kit: Kit, role: str, scope: str = "", lasts: timedelta | None = None) -> bool:
    """Give Anna a role."""
    anna = await account_id(kit, ANNA)
    until = kit.clock.now() + lasts if lasts else None
    async with kit.engine.core.runner.flow(Origin()) as flow:
        return await flow.change(lambda change: access.grant(change, anna, role, "test", scope, until))


async def take(kit: Kit, role: str, scope: str = "") -> bool:
    """Take a role from Anna."""
    anna = await account_id(kit, ANNA)
    async with kit.engine.core.runner.flow(Origin()) as flow:
        return await flow.change(lambda change: access.revoke(change, anna, role, "test", scope))


async def define(kit: Kit, *roles: Role) -> None:
    """Write roles into the database."""
    book = kit.engine.core.authority.book
    for role in roles:
        async with kit.engine.core.runner.flow(Origin()) as flow:
            await flow.change(partial(book.define, role=role, by="test"))


async def test_giving_and_taking_count_at_the_next_question(declared: Kit) -> None:
    """Nothing is allowed at first; a role gives, and takes with it what it gave; twice is no change."""
    assert not (await standing(declared)).check("notes:delete")
    assert await give(declared, "editor")
    assert not await give(declared, "editor")
    now = await standing(declared)
    assert now.check("notes:delete")
    assert now.roles == ("user", "editor")
    assert now.has_role("moderator"), "inherited"
    assert not now.has_role("admin")
    assert await take(declared, "editor")
    assert not await take(declared, "editor")
    assert not (await standing(declared)).check("notes:delete")


async def test_a_grant_ends_on_the_clock(declared: Kit) -> None:
    """Until its moment and not after it; another moment replaces the one before; one that has passed is a mistake."""
    await give(declared, "editor", lasts=timedelta(hours=1))
    assert await give(declared, "editor", lasts=timedelta(hours=2))
    kept = await standing(declared)
    declared.clock.turn(timedelta(hours=1, minutes=59))
    assert (await standing(declared)).check("notes:delete")
    assert kept.check("notes:delete")
    declared.clock.turn(timedelta(minutes=1))
    assert not (await standing(declared)).check("notes:delete")
    assert not kept.check("notes:delete"), "also for whoever asked before"
    with pytest.raises(Misuse, match="ended already"):
        await give(declared, "editor", lasts=timedelta(hours=-1))


async def test_scopes_reach_their_own_things_only(declared: Kit) -> None:
    """For one thing or one organization, and never in general; each scope is given and taken for itself."""
    await give(declared, "editor", "notes:17")
    await give(declared, "editor", "organization:acme")
    now = await standing(declared)
    assert not now.check("notes:delete")
    assert now.roles == ("user",)
    assert now.check("notes:delete", {"id": 17, "organization_id": "other"})
    assert now.check("notes:delete", {"id": 18, "organization_id": "acme"})
    assert not now.check("notes:delete", {"id": 18, "organization_id": "other"})
    assert await take(declared, "editor", "notes:17")
    assert not (await standing(declared)).check("notes:delete", {"id": 17, "organization_id": "other"})
    for nonsense in ("notes", "notes:", ":17", "no tes:1", "notes:1\n2"):
        with pytest.raises(Misuse, match="is no scope"):
            await give(declared, "editor", nonsense)


async def test_policies_and_reasons(declared: Kit) -> None:
    """Authors edit their own, nobody edits what is locked, and each answer says why; 403 names the permission."""
    anna = await account_id(declared, ANNA)
    now = await standing(declared)
    mine, locked = (
        {"id": 1, "author_id": anna, "state": "open"},
        {"id": 2, "author_id": anna, "state": "locked"},
    )
    assert str(now.decide("notes:edit", mine)) == "allowed: authors edit their own notes"
    assert str(now.decide("notes:edit", locked)) == "denied: nobody edits a locked note"
    assert [one.because for one in now.explain("notes:edit", locked).reasons] == [
        "nobody edits a locked note", "authors edit their own notes", "no role and no policy gives notes:edit",
    ]  # fmt: skip
    with pytest.raises(Refused) as caught:
        now.require("notes:edit", locked)
    assert (caught.value.code.name, caught.value.details) == (
        "permission_denied",
        {"permission": "notes:edit"},
    )
    core = declared.engine.core
    nobody = await core.authority.standing(core.database, None)
    assert not nobody.check("notes:edit", mine)
    notes = sa.table("notes", *(sa.column(name, sa.Text) for name in ("id", "author_id", "state")))
    assert "author_id" in str(now.where("notes:edit", notes))


async def test_roles_of_the_database_count_in_every_process(
    declared: Kit, database_url: str, tmp_path: Path
) -> None:
    """Defined, changed and dropped by one process, seen by another at its next question, without a restart."""
    async with running(tmp_path, database=database_url, root_secret=ROOT_SECRET) as other:
        await define(declared, Role("clerk", ("orders:read",), ("moderator",), "Reads orders."))
        await give(declared, "clerk")
        assert (await standing(other)).check("orders:read")
        assert (await standing(other)).has_role("moderator")
        await define(declared, Role("clerk", ("orders:write",)))
        assert not (await standing(other)).check("orders:read")
        assert (await standing(other)).check("orders:write")
        core = declared.engine.core
        async with core.runner.flow(Origin()) as flow:
            assert await flow.change(lambda change: core.authority.book.drop(change, "clerk", "test"))
        assert not (await standing(other)).check("orders:write"), "held still, and worth nothing"


async def test_what_does_not_fit_is_refused_and_changes_nothing(declared: Kit) -> None:
    """Circles, unknown parents, patterns that are none, the program's own roles, parents that others need."""
    await define(declared, Role("a"), Role("b", inherits=("a",)))
    core = declared.engine.core
    before = await core.database.all(store.DEFINED)
    for wrong in (
        Role("a", inherits=("b",)), Role("c", inherits=("nothing",)), Role("c", ("everything",)), Role("editor"),
        Role("c\nsuperadmin"), Role("", ("notes:read",)),
    ):  # fmt: skip
        with pytest.raises(Misuse):
            await define(declared, wrong)
    with pytest.raises(Misuse, match="inherits"):
        async with core.runner.flow(Origin()) as flow:
            await flow.change(lambda change: core.authority.book.drop(change, "a", "test"))
    assert await core.database.all(store.DEFINED) == before


def test_a_program_whose_roles_do_not_fit_does_not_start() -> None:
    """A mistake in code stops the start, and says what is wrong."""
    with pytest.raises(Misuse, match="there is no such role"):
        Authority(World(), Declared(roles=(Role("x", inherits=("y",)),)), "user")


async def test_the_default_role_can_be_left_out(tmp_path: Path) -> None:
    """Everybody holds `user`, unless the setting says otherwise."""
    async with running(tmp_path, default_role="") as kit:
        await kit.signed_up(ANNA)
        assert (await standing(kit)).roles == ()
