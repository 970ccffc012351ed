"""API keys over HTTP: made, listed, used, rotated, revoked; what each refusal says, and that it changes nothing."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends
from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.core.access.authority import Standing
from ostiary.core.access.decide import Grant, Holder, Rules
from ostiary.core.access.permission import covers
from ostiary.core.access.policy import PolicyBook
from ostiary.core.access.roles import Role, RoleBook
from ostiary.core.accounts.accounts import Status
from ostiary.core.api_keys import store
from ostiary.engine.features import RIBS
from ostiary.features.api_keys import flow, operator
from ostiary.features.api_keys.wish import Wish, judge
from ostiary.integrations.fastapi import CsrfToken, OptionalUser, optional_user, rate_limit
from ostiary.kernel.errors import Refused
from ostiary.kernel.origin import Origin
from ostiary.kernel.world import World, from_micros
from ostiary.testing import Kit
from tests.core.signin.stage import MOMENT, StoppedClock, account_id, dump, journalled, set_status
from tests.features.api_keys.stage import (
    ANNA,
    Host,
    ask,
    code_of,
    give,
    keyed,
    make,
    moment,
    never_made,
    owner,
    resolve,
    take,
)
from tests.features.totp.stage import begun, confirm
from tests.security.stage import drained
from tests.support.secrets import nothing_leaks
from tests.support.statements import statements_of


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine whose clock is turned by hand; at the end no key stands in database, log or mails (L14)."""
    async with keyed(tmp_path, database=database_url, clock=StoppedClock()) as kit:
        with nothing_leaks(kit):
            yield kit


async def test_the_life_of_a_key(kit: Kit) -> None:
    """Made and shown once, listed without its secret, used at guards by either header, revoked and dead at once."""
    anna = await owner(kit, "editor")
    made = await make(anna, "notes:read", "notes:read", name="  Deploy ")
    assert made["key"].startswith(f"{made['prefix']}_")
    assert made["prefix"] == f"ost_live_{made['id']}"
    assert (made["name"], made["scopes"], made["networks"]) == ("Deploy", ["notes:read"], [])
    assert moment(made["expires_at"]) - moment(made["created_at"]) == timedelta(days=365)
    listed = (await anna.get("/auth/api-keys")).json()
    assert listed["scopes"] == ["notes:*", "drafts:edit"]
    (one,) = listed["api_keys"]
    assert one == {name: value for name, value in made.items() if name != "key"}
    assert made["key"][len(made["prefix"]) + 1 :] not in (await anna.get("/auth/api-keys")).text

    host, key, anna_id = Host(kit), made["key"], await account_id(kit, ANNA)
    for client in (host.client(key), host.client(bearer=key), host.client(key, bearer=key)):
        assert (await client.get("/who")).json() == {
            "account": anna_id, "session": None, "key": made["id"], "scopes": ["notes:read"], "amr": ["api_key"],
            "acr": "0",
        }  # fmt: skip
        assert (await client.get("/user")).json() == f"{ANNA} "
        assert (await client.post("/user")).status_code == 200, "no cookie, no forgery"
        assert (await client.get("/maybe")).json() == f"{ANNA} "
        assert (await client.get("/key")).json() == "Deploy"
        assert (await client.get("/read")).status_code == 200
        refused = await client.post("/write")
        assert (refused.status_code, refused.json()["permission"]) == (403, "notes:write")
        assert code_of(await client.get("/staff")) == "permission_denied", (
            "a role says more than its permissions"
        )
        assert code_of(await client.get("/fresh")) == "session_required"
        assert code_of(await client.get("/session")) == "session_required"
        assert (await client.get("/may/notes:write")).json() is False
        assert not client.cookies, "a key never becomes a session"
    assert (await anna.delete(f"/auth/api-keys/{made['id']}")).status_code == 204
    assert code_of(await host.client(key).get("/who")) == "api_key_invalid"
    assert (await anna.get("/auth/api-keys")).json()["api_keys"] == []
    assert (await anna.delete(f"/auth/api-keys/{made['id']}")).status_code == 404
    events = await journalled(kit)
    assert {name for name in events if name.startswith("api_key")} == {"api_key_created", "api_key_revoked"}


async def test_what_cannot_be_a_key_is_refused(kit: Kit) -> None:
    """Names, scopes, networks and ends that do not do are told with their places; nothing beyond its owner is made."""
    anna = await owner(kit, "reader")
    await drained(kit)
    before = await dump(kit, without=("throttle", "journal"))
    soon = kit.clock.now() + timedelta(hours=1)
    mistakes: dict[str, dict[str, Any]] = {
        "name": {"name": "  "}, "scopes": {"scopes": ["Notes:read"]}, "networks": {"networks": ["203.0.113.7/24"]},
        "expires_at": {"expires_at": kit.clock.now().isoformat()},
    }  # fmt: skip
    for field, wrong in mistakes.items():
        refused = await ask(anna, **{"expires_at": soon.isoformat(), **wrong})
        assert (refused.status_code, code_of(refused)) == (422, "invalid_request")
        assert [one["loc"][-1] for one in refused.json()["errors"]] == [field]
    late = kit.clock.now() + timedelta(days=365) + MOMENT
    assert (await ask(anna, expires_at=late.isoformat())).status_code == 422
    assert (await ask(anna, expires_at="2031-01-01T00:00:00")).status_code == 422, (
        "a moment says in which zone"
    )
    assert (await ask(anna, owner="somebody")).status_code == 422
    for beyond in ("notes:write", "notes:*", "admin:all", "users:read"):
        refused = await ask(anna, "notes:read", beyond)
        assert (refused.status_code, code_of(refused)) == (403, "api_key_scope_denied")
        assert refused.json()["scopes"] == [beyond]
    assert await dump(kit, without=("throttle", "journal")) == before
    assert (await make(anna, "notes:read", "drafts:edit"))["scopes"] == ["drafts:edit", "notes:read"]
    assert (await make(anna))["scopes"] == [], "one that can only say whose it is"


async def test_it_needs_a_fresh_person(kit: Kit) -> None:
    """Neither a key nor a stale session makes or rotates a key; a key changes nothing that guards the account."""
    anna = await owner(kit, "editor")
    made = await make(anna, "notes:*")
    program = kit.browser()
    program.headers["x-api-key"] = made["key"]
    await drained(kit)
    before = await dump(kit, without=("throttle", "journal"))
    for method, path, body in (
        ("POST", "/auth/api-keys", {"name": "Mine"}),
        ("POST", f"/auth/api-keys/{made['id']}/rotate", None),
        ("DELETE", f"/auth/api-keys/{made['id']}", None),
        ("GET", "/auth/api-keys", None),
        ("GET", "/auth/session", None),
        ("POST", "/auth/password/change", {"new_password": "lantern seventeen harbour loud"}),
        ("POST", "/auth/mfa/totp", {"name": "x"}),
        ("POST", "/auth/emails", {"email": "mallory@example.com"}),
        ("POST", "/auth/sessions/revoke-others", None),
        ("DELETE", "/auth/account", None),
        ("GET", "/account", None),
    ):
        answer = await program.request(method, path, json=body)
        assert answer.status_code in (403, 404, 405), (path, answer.text)
        if answer.headers["content-type"] == "application/problem+json" and answer.status_code == 403:
            assert code_of(answer) == "session_required"
    assert code_of(await program.post("/auth/token")) != ""
    assert await dump(kit, without=("throttle", "journal")) == before
    kit.clock.turn(timedelta(minutes=15) + MOMENT)
    assert code_of(await ask(anna)) == "fresh_authentication_required"
    assert code_of(await anna.post(f"/auth/api-keys/{made['id']}/rotate")) == "fresh_authentication_required"
    assert (await anna.delete(f"/auth/api-keys/{made['id']}")).status_code == 204, (
        "to revoke is never too late"
    )


async def test_it_ends_to_the_microsecond(kit: Kit) -> None:
    """An end counts exactly; who holds the key is told that it has expired, who does not learns nothing."""
    anna = await owner(kit)
    made = await make(anna, expires_at=(kit.clock.now() + timedelta(hours=1)).isoformat())
    kit.clock.turn(timedelta(hours=1) - MOMENT)
    assert (await resolve(kit, made["key"])).key.id == made["id"]
    kit.clock.turn(MOMENT)
    for words, code in ((made["key"], "api_key_expired"), (never_made(kit, made["id"]), "api_key_invalid")):
        answer = await Host(kit).client(words).get("/who")
        assert (answer.status_code, code_of(answer)) == (401, code)
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    anna = await kit.sign_in(ANNA)
    assert code_of(await anna.post(f"/auth/api-keys/{made['id']}/rotate")) == "not_found"
    assert [one["id"] for one in (await anna.get("/auth/api-keys")).json()["api_keys"]] == [made["id"]]


async def test_rotation_overlaps_exactly(kit: Kit) -> None:
    """The successor keeps name, scopes, networks and end; the old key works for 24 hours, to the microsecond."""
    anna = await owner(kit, "editor")
    old = await make(anna, "notes:*", networks=["192.0.2.0/24"])
    kit.clock.turn(timedelta(minutes=5))
    new = (await anna.post(f"/auth/api-keys/{old['id']}/rotate")).json()
    assert new["id"] != old["id"]
    for same in ("name", "scopes", "networks", "expires_at"):
        assert new[same] == old[same]
    assert code_of(await anna.post(f"/auth/api-keys/{old['id']}/rotate")) == "api_key_rotated"
    listed = {one["id"]: one for one in (await anna.get("/auth/api-keys")).json()["api_keys"]}
    assert listed[old["id"]]["rotated_to"] == new["id"]
    kit.clock.turn(timedelta(hours=24) - MOMENT)
    for key in (old, new):
        assert (await resolve(kit, key["key"])).key.id == key["id"]
    kit.clock.turn(MOMENT)
    with pytest.raises(Refused, match="api_key_expired"):
        await resolve(kit, old["key"])
    assert (await resolve(kit, new["key"])).key.id == new["id"]

    anna = await kit.sign_in(ANNA)
    brief = await make(anna, expires_at=(kit.clock.now() + timedelta(hours=2)).isoformat())
    successor = (await anna.post(f"/auth/api-keys/{brief['id']}/rotate")).json()
    assert successor["expires_at"] == brief["expires_at"]
    kit.clock.turn(timedelta(hours=2))
    for key in (brief, successor):
        with pytest.raises(Refused, match="api_key_expired"):
            await resolve(kit, key["key"])


async def test_one_of_many_rotations_counts(database_url: str, tmp_path: Path) -> None:
    """Of fifty rotations at once one makes a successor; the others are told so, and no key is left over."""
    async with keyed(tmp_path, database=database_url, api_key_changes_per_account="100/1h") as kit:
        anna, core = await owner(kit, "editor"), kit.engine.core
        made = await make(anna, "notes:read")
        session_id = (await anna.get("/auth/session")).json()["session"]["id"]
        who = (await core.sessions.resolve_proven(await account_id(kit, ANNA), session_id)).principal

        async def rotate() -> str:
            try:
                return (await flow.rotate(core, Origin("192.0.2.10"), who, made["id"])).key.id
            except Refused as refused:
                return refused.code.name

        results = await asyncio.gather(*(rotate() for _ in range(50)))
        assert results.count("api_key_rotated") == 49
        (won,) = set(results) - {"api_key_rotated"}
        listed = await core.database.all(store.LISTED, of_account=who.account_id)
        assert [one.id for one in listed] == [made["id"], won]
        assert listed[0].rotated_to == won


async def test_what_its_owner_loses_it_loses(kit: Kit) -> None:
    """At once: a role taken, the account disabled, enabled again, to be deleted; and a gain adds nothing."""
    anna = await owner(kit, "editor")
    made = await make(anna, "notes:read")
    host, anna_id = Host(kit), await account_id(kit, ANNA)
    client = host.client(made["key"])
    assert (await client.get("/read")).status_code == 200
    await take(kit, anna_id, "editor")
    assert code_of(await client.get("/read")) == "permission_denied"
    await give(kit, anna_id, "superadmin")
    assert (await client.get("/read")).status_code == 200
    assert code_of(await client.post("/write")) == "permission_denied", (
        "its scopes bound it, whatever its owner may"
    )
    await set_status(kit, anna_id, Status.DISABLED)
    assert code_of(await client.get("/who")) == "api_key_invalid"
    await set_status(kit, anna_id, Status.ACTIVE)
    assert code_of(await client.get("/who")) == "api_key_invalid"
    again = await kit.sign_in(ANNA)
    assert (await again.get("/auth/api-keys")).json()["api_keys"] == []
    late = await make(again, "notes:read")
    assert (await again.delete("/auth/account")).status_code < 300
    assert code_of(await host.client(late["key"]).get("/who")) == "api_key_invalid"
    await kit.sign_in(ANNA)
    assert code_of(await host.client(late["key"]).get("/who")) == "api_key_invalid", (
        "an undone deletion revives none"
    )


async def test_from_its_networks_only(kit: Kit) -> None:
    """A key with networks works from them, IPv4-mapped or not, and is nobody's from elsewhere; others learn nothing."""
    anna = await owner(kit)
    made = await make(
        anna, networks=["203.0.113.0/24", "2001:db8::1", "::ffff:198.51.100.0/120", "198.51.100.0/24"]
    )
    assert made["networks"] == ["203.0.113.0/24", "2001:db8::1/128", "198.51.100.0/24"]
    host = Host(kit)
    for ip, is_in in (
        ("203.0.113.9", True), ("::ffff:203.0.113.9", True), ("198.51.100.255", True), ("2001:db8::1", True),
        ("203.0.114.1", False), ("2001:db8::2", False), ("::ffff:192.0.2.1", False), ("", False), ("unknown", False),
    ):  # fmt: skip
        answer = await host.client(made["key"], ip=ip).get("/who")
        assert (answer.status_code, code_of(answer)) == ((200, "") if is_in else (401, "api_key_invalid")), ip
    forged = {"x-forwarded-for": "203.0.113.9"}
    assert (await host.client(made["key"], ip="192.0.2.1", **forged).get("/who")).status_code == 401


async def test_the_owner_finds_what_was_refused(kit: Kit) -> None:
    """A genuine key from elsewhere stands in the activity, once an hour; a wrong one in the journal, and nobody's."""
    anna = await owner(kit)
    made = await make(anna, networks=["203.0.113.0/24"])
    client = Host(kit).client(made["key"])
    for _ in range(3):
        assert code_of(await client.get("/who")) == "api_key_invalid"
    assert (await journalled(kit)).count("api_key_misplaced") == 1
    kit.clock.turn(timedelta(hours=1))
    assert code_of(await client.get("/who")) == "api_key_invalid"
    assert code_of(await Host(kit).client(never_made(kit, made["id"])).get("/who")) == "api_key_invalid"
    events = await journalled(kit)
    assert (events.count("api_key_misplaced"), events.count("api_key_refused")) == (2, 1)
    anna = await kit.sign_in(ANNA)
    told = (await anna.get("/auth/account/activity")).text
    assert told.count("The API key “Deploy” was used from an address that it does not allow.") == 2
    assert (await resolve(kit, made["key"], "203.0.113.1")).key.last_used_at is None, "a refusal is no use"


async def test_a_second_factor_is_required_by_now(database_url: str, tmp_path: Path) -> None:
    """Once the grace is over, keys that one factor made are refused; those of two, and of services, are not."""
    given: dict[str, Any] = {"require_factor": "everybody", "factor_grace": "1h"}
    async with keyed(tmp_path, database=database_url, clock=StoppedClock(), **given) as kit:
        anna = await owner(kit)
        weak = await make(anna)
        service = await operator.create_for_service(kit.engine.core, "ci", Wish("Fetch"))
        app = await begun(kit, anna)
        assert (await confirm(anna, app)).status_code == 200
        strong = await make(anna, name="Strong")
        successor = (await anna.post(f"/auth/api-keys/{weak['id']}/rotate")).json()
        for key in (weak, strong, successor):
            assert (await resolve(kit, key["key"])).key.id == key["id"]
        kit.clock.turn(timedelta(hours=1))
        with pytest.raises(Refused, match="second factor") as refused:
            await resolve(kit, weak["key"])
        assert refused.value.code.name == "api_key_invalid"
        for key in (strong, successor):
            assert (await resolve(kit, key["key"])).key.id == key["id"]
        await resolve(kit, service.text.reveal())


async def test_each_key_has_a_rate_of_its_own(kit: Kit) -> None:
    """`rate_limit(by="caller")` counts each key by itself, and people by account."""
    anna = await owner(kit)
    first, second = await make(anna), await make(anna)
    host = Host(kit)

    @host.app.get("/slow", dependencies=[rate_limit("2/h", by="caller")])
    async def slow() -> str:
        return "slow"

    for made in (first, second):
        client = host.client(made["key"])
        assert [(await client.get("/slow")).status_code for _ in range(3)] == [200, 200, 429]
    person = host.client()
    person.cookies.update(anna.cookies)
    assert (await person.get("/slow")).status_code == 200
    assert code_of(await host.client().get("/slow")) == "not_authenticated"


async def test_without_the_rib_no_key_counts(database_url: str, tmp_path: Path) -> None:
    """Where nobody could see or revoke a key, none is taken, and nothing of it is looked up."""
    root = base64.urlsafe_b64encode(World().bytes(32)).decode()
    async with keyed(tmp_path, database=database_url, root_secret=root) as kit:
        made = await make(await owner(kit))
    ribs = [rib for rib in RIBS if not rib.takes_api_keys]
    async with keyed(tmp_path, database=database_url, root_secret=root, ribs=ribs) as kit:
        with statements_of(kit.engine.core.database) as names:
            by_header = await Host(kit).client(made["key"]).get("/who")
            by_bearer = await Host(kit).client(bearer=made["key"]).get("/who")
        assert [code_of(by_header), code_of(by_bearer)] == ["not_authenticated", "token_invalid"]
        assert not [name for name in names if name.startswith("api_keys")]


async def test_several_guards_count_once(kit: Kit) -> None:
    """A wrong key that two guards of a route ask about is looked up, counted and noted once."""
    await owner(kit)
    host = Host(kit)
    again = Depends(optional_user, use_cache=False)

    @host.app.get("/twice", dependencies=[again])
    async def twice(user: OptionalUser, csrf: CsrfToken) -> str:
        return "somebody" if user else "nobody"

    with statements_of(kit.engine.core.database) as names:
        answer = await host.client(never_made(kit)).get("/twice")
    assert answer.json() == "nobody"
    assert names.count("api_keys.resolve") == 1
    assert (await journalled(kit)).count("api_key_refused") == 1


async def test_two_credentials(kit: Kit) -> None:
    """Two that differ are none; a key counts before a cookie, whose CSRF proof is owed all the same."""
    anna = await owner(kit, "editor")
    made, other = await make(anna, "notes:read"), await make(anna)
    host = Host(kit)
    token = (await anna.post("/auth/token")).json()["access_token"]
    for client in (
        host.client(made["key"], bearer=other["key"]), host.client(made["key"], bearer=token),
        host.client(f"{made['key']}, {made['key']}"), host.client(""), host.client(made["key"].upper()),
    ):  # fmt: skip
        assert (await client.get("/who")).status_code == 401
    assert code_of(await host.client(bearer=token).get("/key")) == "api_key_missing"
    assert (
        code_of(await host.client().get(f"/who?api_key={made['key']}&x-api-key={made['key']}"))
        == "not_authenticated"
    )
    both = host.client(made["key"])
    both.cookies.update(anna.cookies)
    assert (await both.get("/who")).json()["key"] == made["id"]
    assert code_of(await both.post("/user")) == "csrf_failed"
    assert code_of(await both.get("/session")) == "session_required"
    proof = {"x-csrf-token": anna.cookies[kit.engine.app.edge.cookies.csrf]}
    assert (await both.post("/user", headers=proof)).status_code == 200
    dead = host.client(bearer="ost_live_nonsense")
    assert code_of(await dead.get("/who")) == "api_key_invalid"
    assert (await dead.get("/maybe")).json() == "nobody "


async def test_garbage_costs_no_query(kit: Kit) -> None:
    """A wrong checksum costs no statement, a wrong secret one and its count; a full window refuses from memory."""
    anna = await owner(kit)
    made = await make(anna)
    core = kit.engine.core
    with statements_of(core.database) as names:
        for words in (
            "",
            "x",
            made["key"][:-1],
            f"{made['key'][:-1]}{'0' if made['key'][-1] != '0' else '1'}",
        ):
            with pytest.raises(Refused, match="api_key_invalid"):
                await resolve(kit, words)
    assert names == []
    await resolve(kit, made["key"])
    with statements_of(core.database) as names:
        await resolve(kit, made["key"])
    assert names == ["api_keys.resolve"]
    wrong = never_made(kit, made["id"])
    with statements_of(core.database) as unknown, pytest.raises(Refused, match="api_key_invalid"):
        await resolve(kit, never_made(kit), "198.51.100.1")
    with statements_of(core.database) as known, pytest.raises(Refused, match="api_key_invalid"):
        await resolve(kit, wrong, "198.51.100.2")
    assert known == unknown, "an id that somebody has is told from none by nothing"
    assert known[0] == "api_keys.resolve"


async def test_a_flood_is_refused_from_memory(database_url: str, tmp_path: Path) -> None:
    """A network that has sent too many wrong keys is refused without a statement, and comes back after the window."""
    async with keyed(
        tmp_path, database=database_url, clock=StoppedClock(), api_key_failures_per_network="3/1m"
    ) as kit:
        anna = await owner(kit)
        made = await make(anna)
        for _ in range(3):
            with pytest.raises(Refused, match="api_key_invalid"):
                await resolve(kit, never_made(kit))
        with pytest.raises(Refused, match="too_many_attempts"):
            await resolve(kit, never_made(kit))
        with statements_of(kit.engine.core.database) as names:
            answer = await Host(kit).client(made["key"]).get("/who")
        assert (answer.status_code, names) == (429, [])
        assert answer.headers["retry-after"]
        assert (await resolve(kit, made["key"], "192.0.2.11")).key.id == made["id"]
        kit.clock.turn(timedelta(minutes=1))
        assert (await resolve(kit, made["key"])).key.id == made["id"]


async def test_last_used_is_written_once_a_minute(kit: Kit) -> None:
    """Of many requests one writes, then none for a minute; a key that is revoked meanwhile is left alone."""
    anna = await owner(kit)
    made = await make(anna)
    kit.clock.turn(timedelta(seconds=1))
    with statements_of(kit.engine.core.database) as names:
        await asyncio.gather(*(resolve(kit, made["key"]) for _ in range(5)))
    first = kit.clock.now()
    assert names.count("api_keys.touch") >= 1
    kit.clock.turn(timedelta(seconds=60) - MOMENT)
    with statements_of(kit.engine.core.database) as names:
        assert (await resolve(kit, made["key"])).key.last_used_at == first
    assert names == ["api_keys.resolve"]
    kit.clock.turn(MOMENT)
    await resolve(kit, made["key"])
    assert (await resolve(kit, made["key"])).key.last_used_at == kit.clock.now()


async def test_there_are_only_so_many(database_url: str, tmp_path: Path) -> None:
    """The limit counts keys that are good; a revoked, expired or rotated one makes room, and rotating always goes."""
    async with keyed(tmp_path, database=database_url, clock=StoppedClock(), api_keys_per_account=2) as kit:
        anna = await owner(kit)
        await make(anna, expires_at=(kit.clock.now() + timedelta(minutes=1)).isoformat())
        second = await make(anna)
        assert code_of(await ask(anna)) == "api_key_limit"
        successor = (await anna.post(f"/auth/api-keys/{second['id']}/rotate")).json()
        assert code_of(await ask(anna)) == "api_key_limit"
        kit.clock.turn(timedelta(minutes=1))
        third = await make(anna)
        assert code_of(await ask(anna)) == "api_key_limit"

        async def left() -> set[str]:
            async with kit.engine.core.database.transaction() as tx:
                await kit.engine.core.api_keys.sweep(tx, 500)
            return {row[0] for row in (await dump(kit))["api_key"]}

        assert len(await left()) == 4, "what has expired stays for a while"
        kit.clock.turn(timedelta(days=31))
        assert await left() == {successor["id"], third["id"]}
        for status in (Status.DISABLED, Status.ACTIVE):
            await set_status(kit, await account_id(kit, ANNA), status)
        only = await make(await kit.sign_in(ANNA))
        assert await left() == {only["id"]}, "those that ended with the account's others go with the next one"


# ── never beyond its owner ──

PATTERNS = st.sampled_from(
    ["notes:read", "notes:write", "notes:*", "users:*", "users:read", "admin:all", "admin:*"]
)
ASKED = (
    "notes:read",
    "notes:write",
    "users:read",
    "users:disable",
    "admin:all",
    "drafts:edit",
    "other:thing",
)
ROLES = st.lists(
    st.tuples(st.sampled_from("abc"), st.lists(PATTERNS, max_size=3)), unique_by=lambda one: one[0]
)


@given(
    ROLES, st.sets(st.sampled_from("abc")), st.lists(PATTERNS, max_size=3), st.sets(st.sampled_from("abc"))
)
@settings(max_examples=50, deadline=None)
def test_never_beyond_its_owner(
    defined: list[tuple[str, list[str]]], held: set[str], scopes: list[str], later: set[str]
) -> None:
    """Over random roles: what may be asked for lies within its owner, and what a key may do within scopes and owner."""
    world = World()
    book = RoleBook.of(Role(name, tuple(granted)) for name, granted in defined)
    rules = Rules(book, PolicyBook.of(()))

    def standing(roles: set[str], ceiling: tuple[str, ...] | None = None) -> Standing:
        return Standing(rules, Holder("x", tuple(Grant(one) for one in sorted(roles)), ceiling), world)

    owner_then = standing(held)
    if not owner_then.beyond(scopes):
        key_then = standing(held, tuple(scopes))
        for asked in ASKED:
            # What was asked for and made, the key may do, no less and no more; and its owner may all of it.
            assert key_then.check(asked) == any(covers(one, asked) for one in scopes)
            assert owner_then.check(asked) or not key_then.check(asked)
    key_now, owner_now = standing(later, tuple(scopes)), standing(later)
    for asked in ASKED:
        if key_now.check(asked):
            assert owner_now.check(asked)
            assert scopes
    if "admin:all" not in scopes:
        assert not key_now.has_role("a", "b", "c")
        assert key_now.beyond(["notes:read"]) == ("notes:read",), "a key mints nothing"


def test_judging_a_wish() -> None:
    """Without a longest life a key may be without end; what is stored is sorted, unique and canonical."""
    now = from_micros(0)
    wish = judge(Wish("a", ("b:c", "a:b", "b:c"), ("::ffff:1.2.3.4",)), timedelta(), now)
    assert (wish.scopes, wish.networks, wish.expires_at) == (("a:b", "b:c"), ("1.2.3.4/32",), None)
    assert judge(Wish("a"), timedelta(days=2), now).expires_at == now + timedelta(days=2)
    for wrong in (("fe80::1%eth0",), ("x",), ("1.2.3.4/33",), ("1" * 100,)):
        with pytest.raises(Refused):
            judge(Wish("a", (), wrong), timedelta(), now)
