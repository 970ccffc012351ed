"""Giving and taking roles on pages: only by whoever may, with a fresh proof, never above one's own."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ostiary.core.access.authority import Declared
from ostiary.core.access.roles import Role
from ostiary.features.roles import people
from ostiary.kernel.errors import Refused
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal
from ostiary.testing import Browser, Kit, running
from tests.core.signin.stage import account_id, dump
from tests.features.api_keys.stage import give
from tests.pages.reading import OWN_FORM, Page, Visitor, visitor
from tests.security.stage import drained

ANNA, BERT, CARA = "anna@example.com", "bert@example.com", "cara@example.com"
PEOPLE = "/account/roles/people"
# What looking, trying and the hours may change.
MOVING = ("throttle", "journal", "session", "api_key", "once")
DECLARED = Declared((Role("auditor"), Role("clerk", ("notes:*",)), Role("head", ("notes:*", "roles:*"))))


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine with a role that lists nothing, one that does, and one that may give roles."""
    async with running(tmp_path, database=database_url, declared=DECLARED) as kit:
        yield kit


async def person(kit: Kit, email: str, *roles: str) -> Visitor:
    """Somebody who is signed in, with some roles."""
    found = visitor(kit)
    found.browser = await kit.signed_in(email)
    anna = await account_id(kit, email)
    for role in roles:
        await give(kit, anna, role)
    return found


async def roles_of(browser: Browser) -> list[str]:
    """What somebody holds."""
    held = (await browser.get("/auth/account/roles")).json()["roles"]
    return [one["role"] for one in held]


async def test_giving_and_taking(kit: Kit) -> None:
    """From the own roles to the other's by the address; given, held already, taken; both are in the activity."""
    anna, bert = await person(kit, ANNA, "head"), await person(kit, BERT)
    assert "Give and take roles" in (await anna.open("/account/roles")).text
    assert "Give and take roles" not in (await bert.open("/account/roles")).text
    asked = await anna.open(PEOPLE)
    nobody = await anna.submit(asked, PEOPLE, email="nobody@example.com")
    assert (nobody.status, nobody.problem("email")) == (422, "Nobody has this address.")
    page = await anna.submit(asked, PEOPLE, email=BERT.upper())
    assert page.heading == f"Roles of {BERT}"
    assert "You may give: clerk, head, user." in page.text
    one = page.answer.url.path
    wrong = await anna.submit(page, one, role="clark")
    assert (wrong.status, wrong.problem("role")) == (422, "There is no such role.")
    assert "The role is given." in (await anna.submit(page, one, role="clerk")).text
    assert "It is held already." in (await anna.submit(page, one, role="clerk")).text
    assert await roles_of(bert.browser) == ["user", "clerk"]
    taking = await anna.open(f"{one}/take?role=clerk&scope=")
    assert taking.heading == "Take this role?"
    assert "The role is taken." in (await anna.submit(taking, f"{one}/take")).text
    assert (await anna.submit(taking, f"{one}/take")).status == 404
    assert await roles_of(bert.browser) == ["user"]
    told = (await bert.browser.get("/auth/account/activity")).text
    assert "You were given the role clerk." in told
    assert "The role clerk was taken from you." in told


async def test_nobody_reaches_above_their_own(kit: Kit) -> None:
    """A role above one's own, or one that lists nothing and is not one's own, is neither given nor taken."""
    anna, bert = await person(kit, ANNA, "head"), await person(kit, BERT, "admin", "auditor")
    bert_id = await account_id(kit, BERT)
    one = f"{PEOPLE}/{bert_id}"
    page = await anna.open(one)
    assert "Take" not in [link.text for link in page.tree.one("main").all("a")]
    await drained(kit)
    before = await dump(kit, without=MOVING)
    for role in ("superadmin", "admin", "auditor"):
        assert (await anna.submit(page, one, role=role)).status == 403
    for role in ("admin", "auditor", "superadmin", "nothing"):
        assert (await post(anna, page, f"{one}/take", role=role, scope="")).status == 403
    assert await dump(kit, without=MOVING) == before
    assert (await post(bert, await bert.open(one), one, role="auditor")).status == 200, (
        "one's own may be given"
    )


async def test_it_takes_a_permission_and_a_fresh_person(kit: Kit) -> None:
    """Without the permission every page is refused; with it an old sign-in and an API key are; nothing changes."""
    cara, anna = await person(kit, CARA), await person(kit, ANNA, "superadmin")
    one = f"{PEOPLE}/{await account_id(kit, CARA)}"
    page = await anna.open(one)
    made = (await anna.browser.post("/auth/api-keys", json={"name": "x", "scopes": ["admin:all"]})).json()
    await drained(kit)
    before = await dump(kit, without=MOVING)
    own = await cara.open("/account/roles")
    for path in (PEOPLE, one, f"{one}/take?role=user&scope="):
        assert (await cara.open(path)).status == 403
        assert (
            await post(cara, own, path.partition("?")[0], email=CARA, role="clerk", scope="")
        ).status == 403
    program = kit.browser(headers={"x-api-key": made["key"]})
    assert (await program.get(PEOPLE)).status_code == 403
    assert (await program.post(one, data={"role": "clerk"}, headers=OWN_FORM)).status_code == 403
    kit.clock.turn(timedelta(minutes=16))
    for path in (PEOPLE, one, f"{one}/take?role=user&scope="):
        assert (await anna.open(path)).answer.url.path == "/login"
    assert (await post(anna, page, one, role="clerk")).answer.url.path == "/login"
    assert await dump(kit, without=MOVING) == before


async def post(who: Visitor, page: Page, path: str, **fields: str) -> Page:
    """Send a form that the page may not have, with its token."""
    token = page.tree.all("input", name="csrf_token")[0].attributes["value"]
    return Page(
        await who.browser.post(
            path, data={"csrf_token": token, **fields}, headers=OWN_FORM, follow_redirects=True
        )
    )


async def test_somebody_stays_superadmin(kit: Kit) -> None:
    """The last one cannot lose the role, and of two who take it from each other at once one keeps it."""
    anna = await person(kit, ANNA, "superadmin")
    anna_id = await account_id(kit, ANNA)
    one = f"{PEOPLE}/{anna_id}"
    taking = await anna.open(f"{one}/take?role=superadmin&scope=")
    refused = await anna.submit(taking, f"{one}/take")
    assert refused.status == 409
    assert "Somebody must stay superadmin." in refused.text
    bert = await person(kit, BERT, "superadmin")
    bert_id = await account_id(kit, BERT)
    core = kit.engine.core

    async def principal(who: Visitor, of: str) -> Principal:
        session_id = (await who.browser.get("/auth/session")).json()["session"]["id"]
        return (await core.sessions.resolve_proven(of, session_id)).principal

    async def take(who: Principal, whose: str) -> Any:
        try:
            return await people.take(core, Origin("192.0.2.10"), who, whose, "superadmin")
        except Refused as refused:
            return refused.code.name

    results = await asyncio.gather(
        take(await principal(anna, anna_id), bert_id), take(await principal(bert, bert_id), anna_id)
    )
    assert results.count(True) == 1, results
    assert {one for one in results if one is not True} <= {"last_superadmin", "permission_denied"}
    left = [await roles_of(anna.browser), await roles_of(bert.browser)]
    assert sum("superadmin" in held for held in left) == 1
