"""Every framework refuses, redirects and lets through alike: each row of the table, over real HTTP, at each subject."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.integrations.matrix.apps.unguarded import unguarded
from tests.integrations.matrix.people import BASE, DECLARED, At, People, Served, prepare
from tests.integrations.matrix.subjects import SUBJECTS, Subject
from tests.support.databases import MigratedFile, Stock
from tests.support.server import ROOT_SECRET

Row = Callable[[At], Awaitable[None]]
ROWS: dict[str, Row] = {}
HTML = {
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "sec-fetch-mode": "navigate", "sec-fetch-site": "none",
}  # fmt: skip


def row(check: Row) -> Row:
    """Enter a row into the table; its docstring is the claim."""
    ROWS[check.__name__.strip("_").replace("_", " ")] = check
    return check


def refused(answer: httpx2.Response, status: int, code: str) -> None:
    """A problem document like everywhere, and with 401 a challenge that tells what was wrong."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
        answer.text
    )
    document = answer.json()
    assert (document["code"], document["status"]) == (code, status)
    assert document["instance"].startswith("urn:ostiary:request:")
    assert answer.headers["cache-control"] == "no-store"
    challenge = answer.headers.get("www-authenticate", "")
    assert challenge.startswith('Bearer realm="ostiary"') is (status == 401)
    spent = code in {"token_expired", "token_invalid", "session_ended", "api_key_invalid"}
    assert ('error="invalid_token"' in challenge) is spent


def cleared(answer: httpx2.Response) -> bool:
    """Whether the answer removes the session's cookie."""
    return any(
        line.startswith("__Host-ostiary=;") and "; Max-Age=0;" in line
        for line in answer.headers.get_list("set-cookie")
    )


@row
async def anonymous(at: At) -> None:
    """Nobody is told to sign in, before anything of the route runs."""
    nobody = at.client()
    for path in ("me", "notes", "notes/1", "reports", "staff", "fresh", "own-limit"):
        answer = await nobody.get(f"/api/{path}")
        refused(answer, 401, "not_authenticated")
        assert not cleared(answer)
    refused(await nobody.post("/api/notes", json={"words": "x"}), 401, "not_authenticated")
    refused(await nobody.post("/api/form", data={"words": "x"}), 401, "not_authenticated")


@row
async def signed_in(at: At) -> None:
    """A cookie and an access token are their user, and no cache gives the answer to others."""
    anna = at.people.anna
    for answer in (
        await at.client(anna).get("/api/me"),
        await at.client().get("/api/me", headers=anna.bearer),
    ):
        assert (answer.status_code, answer.json()) == (200, {"id": anna.id, "email": anna.email})
        assert answer.headers["cache-control"] == "private"
        assert {"cookie", "authorization", "x-api-key"} <= set(answer.headers["vary"].lower().split(", "))
    assert (await at.client(anna).get("/api/notes")).status_code == 200


@row
async def expired(at: At) -> None:
    """An expired token is told from an invalid one; an expired session's cookie is cleared."""
    late = at.people.late
    refused(await at.client().get("/api/me", headers=late.bearer), 401, "token_expired")
    refused(await at.client().get("/api/me", headers={"authorization": "Bearer x.y.z"}), 401, "token_invalid")
    answer = await at.client(late).get("/api/me")
    refused(answer, 401, "session_ended")
    assert cleared(answer)


@row
async def wrong_audience(at: At) -> None:
    """A token with our signature for somebody else opens nothing."""
    refused(await at.client().get("/api/me", headers=at.people.elsewhere.bearer), 401, "token_invalid")
    answer = await at.client().post("/api/notes", json={"words": "x"}, headers=at.people.elsewhere.bearer)
    refused(answer, 401, "token_invalid")


@row
async def revoked(at: At) -> None:
    """What was signed out is refused at once, although the token has not expired."""
    answer = await at.client(at.people.revoked).get("/api/me")
    refused(answer, 401, "session_ended")
    assert cleared(answer)
    refused(await at.client().get("/api/me", headers=at.people.revoked.bearer), 401, "session_ended")


@row
async def disabled_account(at: At) -> None:
    """No cookie and no token of an account that was disabled opens anything, a guard of the whole app included."""
    disabled = at.people.disabled
    for path in ("/api/me", "/inside/here"):
        refused(await at.client(disabled).get(path), 401, "session_ended")
        refused(await at.client().get(path, headers=disabled.bearer), 401, "session_ended")


@row
async def missing_permission(at: At) -> None:
    """403 names the permission or the roles that are missing; who has them passes; a page gets the same answer."""
    anna, bert = at.client(at.people.anna), at.client(at.people.bert)
    for headers in ({}, HTML):
        answer = await anna.get("/api/reports", headers=headers)
        refused(answer, 403, "permission_denied")
        assert answer.json()["permission"] == "reports:read"
    answer = await anna.get("/api/staff")
    refused(answer, 403, "permission_denied")
    assert answer.json()["roles"] == ["editor"]
    assert [(await bert.get(f"/api/{path}")).status_code for path in ("reports", "staff")] == [200, 200]


@row
async def another_ones_object(at: At) -> None:
    """Somebody else's note is answered as one that does not exist."""
    anna, bert = at.client(at.people.anna), at.client(at.people.bert)
    made = await anna.post("/api/notes", json={"words": "mine"}, headers=at.people.anna.csrf)
    assert made.status_code == 201
    path = f"/api/notes/{made.json()['id']}"
    assert (await anna.get(path)).json() == made.json()
    foreign, unknown = await bert.get(path), await bert.get("/api/notes/nothing")
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert (foreign.text, foreign.headers["content-type"]) == (unknown.text, unknown.headers["content-type"])
    assert made.json() not in (await bert.get("/api/notes")).json()


@row
async def api_key(at: At) -> None:
    """A key is its owner, may what its scopes say, needs no CSRF proof alone, and gives neither roles nor freshness."""
    bert, nobody = at.people.bert, at.client()
    ways = [{"x-api-key": bert.key}, {"authorization": f"Bearer {bert.key}"}]
    for key in ways:
        assert (await nobody.get("/api/me", headers=key)).json()["id"] == bert.id
        for path in ("/api/reports", "/inside/here"):
            assert (await nobody.get(path, headers=key | HTML)).status_code == 200
        assert (await nobody.post("/api/notes", json={"words": "x"}, headers=key)).status_code == 201
        refused(await nobody.get("/api/staff", headers=key), 403, "permission_denied")
        refused(await nobody.get("/api/fresh", headers=key | HTML), 403, "session_required")
    narrow = await nobody.get("/api/reports", headers={"x-api-key": at.people.anna.key})
    refused(narrow, 403, "permission_denied")
    assert narrow.json()["permission"] == "reports:read"
    for wrong in (bert.dead_key, bert.key[:-1] + ("a" if bert.key[-1] != "a" else "b")):
        refused(await nobody.get("/api/me", headers=HTML | {"x-api-key": wrong}), 401, "api_key_invalid")
    both = {"x-api-key": bert.key, "authorization": f"Bearer {at.people.anna.key}"}
    refused(await nobody.get("/api/me", headers=both), 401, "api_key_invalid")
    beside = at.client(at.people.anna)
    refused(await beside.post("/api/notes", json={"words": "x"}, headers=ways[0]), 403, "csrf_failed")


@row
async def cookie_with_and_without_proof(at: At) -> None:
    """A cookie changes something only with its CSRF proof and from our origin; a token needs none."""
    stale = at.people.stale
    client = at.client(stale)
    bad = {"x-csrf-token": stale.csrf["x-csrf-token"][:-2]}
    for headers in ({}, bad, at.people.anna.csrf, stale.csrf | {"origin": "https://evil.example"}):
        refused(await client.post("/api/notes", json={"words": "x"}, headers=headers), 403, "csrf_failed")
    form = {"words": "hello", "csrf_token": stale.csrf["x-csrf-token"]}
    for fields in (
        {"words": "hello"},
        form | {"csrf_token": "x"},
        form | {"csrf_token": [form["csrf_token"]] * 2},
    ):
        refused(await client.post("/api/form", data=fields), 403, "csrf_failed")
    assert (await client.get("/api/notes")).json() == []
    for headers in (stale.csrf, stale.csrf | {"origin": BASE}):
        assert (await client.post("/api/notes", json={"words": "x"}, headers=headers)).status_code == 201
    told = await client.post("/api/form", data=form)
    assert (told.status_code, told.text) == (200, "hello")
    token = await at.client().post("/api/notes", json={"words": "x"}, headers=at.people.anna.bearer)
    assert token.status_code == 201
    assert len((await client.get("/api/notes")).json()) == 2


@row
async def fresh_proof(at: At) -> None:
    """Twenty minutes after signing in the proof is too old; a page asks for it again."""
    client = at.client(at.people.stale)
    answer = await client.get("/api/fresh")
    refused(answer, 401, "fresh_authentication_required")
    assert answer.json()["max_age"] == 900
    assert 'error="insufficient_user_authentication", max_age="900"' in answer.headers["www-authenticate"]
    page = await client.get("/api/fresh", headers=HTML)
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=/api/fresh&again=1")
    assert (await at.client(at.people.anna).get("/api/fresh")).status_code == 200


@row
async def page_leads_to_sign_in_and_back(at: At) -> None:
    """A browser goes to the sign-in page and, signed in, back to the path and query that it wanted."""
    browser = at.client()
    wanted = "/inside/the%20page?a=1&b=%C3%BC"
    answer = await browser.get(wanted, headers=HTML)
    assert (answer.status_code, answer.headers["cache-control"]) == (303, "no-store")
    login = await browser.get(answer.headers["location"], headers=HTML)
    assert login.status_code == 200, answer.headers["location"]
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', login.text))
    fields = {name: value.replace("&amp;", "&") for name, value in hidden.items()}
    typed = {"identifier": at.people.anna.email, "password": PASSWORD}
    async with at.people.door:
        signed = await browser.post("/login", data=fields | typed, headers={"origin": BASE})
    assert (signed.status_code, signed.headers["location"]) == (303, wanted)
    assert (await browser.get(wanted, headers=HTML)).status_code == 200
    for program in ({}, HTML | {"sec-fetch-mode": "cors"}, HTML | {"accept": "application/json"}):
        refused(await at.client().get(wanted, headers=program), 401, "not_authenticated")
    dead = await at.client(at.people.revoked).get("/api/me", headers=HTML)
    assert (dead.status_code, dead.headers["location"], cleared(dead)) == (303, "/login?next=/api/me", True)


@row
async def hostile_next(at: At) -> None:
    """No way of writing another site into the path makes the sign-in page lead there."""
    nobody = at.client()
    for path in (
        "//evil.example/x",
        "/inside/%5Cevil.example",
        "/inside/%2F%2Fevil.example",
        "/inside//evil.example",
    ):
        answer = await nobody.get(BASE + path, headers=HTML)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login"), path


@row
async def public_paths(at: At) -> None:
    """Rules match whole segments, `/` only itself; written in another form a path is not public."""
    nobody = at.client()
    for path in ("/", "/inside/open", "/inside/open/below"):
        assert (await nobody.get(path)).status_code == 200, path
    for path in ("/inside/opened", "/inside/OPEN", "/inside", "/nothing", "//", "/inside//open", "//inside/open",
                 "/inside/%2e/open", "/inside/open%2f..%2fclosed", "/inside/open%5c..", "/inside/closed/"):  # fmt: skip
        answer = await nobody.get(BASE + path)
        assert answer.status_code == 401, (path, answer.status_code)


@row
async def rate_limited(at: At) -> None:
    """Three an hour pass with the headers, the fourth is told when to come back; other networks are not concerned."""
    client = at.client()
    for left in (2, 1, 0):
        answer = await client.get("/api/limited")
        assert answer.status_code == 200
        assert answer.headers["ratelimit-policy"] == '"3/1h";q=3;w=3600'
        assert answer.headers["ratelimit"].startswith(f'"3/1h";r={left};t=')
    for _ in range(2):
        answer = await client.get("/api/limited")
        refused(answer, 429, "too_many_attempts")
        assert 0 < int(answer.headers["retry-after"]) <= 3600
        assert answer.headers["ratelimit"].startswith('"3/1h";r=0;t=')
    assert (await at.client(network="203.0.113").get("/api/limited")).status_code == 200
    both = [at.client(at.people.bert), at.client(at.people.bert, network="203.0.113")]
    found = [(await both[n % 2].get("/api/own-limit")).status_code for n in range(3)]
    assert found == [200, 200, 429], "an account's limit follows it"
    assert (await at.client(at.people.anna).get("/api/own-limit")).status_code == 200


@row
async def network_rules(at: At) -> None:
    """From a network that is refused to everybody or to their role, no credential is let through; what is public stays
    public."""
    people, key = at.people, {"x-api-key": at.people.bert.key}
    for who, network in ((people.anna, "192.0.2"), (people.bert, "192.0.2"), (people.bert, "100.64.0")):
        nobody = at.client(network=network)
        for answer in (
            await at.client(who, network).get("/api/me"),
            await at.client(who, network).get("/inside/closed"),
            await at.client(who, network).post("/api/notes", json={"words": "x"}, headers=who.csrf),
            await nobody.get("/api/me", headers=who.bearer),
        ):
            refused(answer, 403, "network_refused")
            assert not cleared(answer)
        assert (await at.client(who, network).get("/")).status_code == 200
    for network in ("192.0.2", "100.64.0"):
        refused(await at.client(network=network).get("/api/reports", headers=key), 403, "network_refused")
    refused(await at.client(network="192.0.2").get("/api/me"), 403, "network_refused")
    assert (await at.client(network="192.0.2").get("/auth/session")).json()["code"] == "network_refused"
    assert (await at.client(people.anna, "100.64.0").get("/api/me")).status_code == 200
    assert (await at.client().get("/api/reports", headers=key)).status_code == 200


@asynccontextmanager
async def standing(
    folder: Path, database: str, subjects: Sequence[Subject]
) -> AsyncIterator[tuple[Kit, list[Served]]]:
    """Subjects that answer, all on one database with the same people in it, and the engine that made those."""
    async with (
        # Hashes cost what they cost at the subjects. Cheaper ones would be replaced by whichever of them Anna signs in
        # to first, and the others, asked at once, would refuse the hash that they have just checked.
        running(folder, database=database, root_secret=ROOT_SECRET, declared=DECLARED, scheme=None) as kit,
        AsyncExitStack() as stack,
    ):
        people = People()
        found = [
            Served(one.name, people, number, one.launch(folder, database))
            for number, one in enumerate(subjects, start=1)
        ]
        for at in found:
            stack.push_async_callback(at.aclose)
        await prepare(kit, people)  # while they start
        for at in found:
            await at.ready()
        yield kit, found


async def broken(at: At) -> dict[str, str]:
    """The rows that do not hold, and what was seen."""
    found: dict[str, str] = {}
    for name, check in ROWS.items():
        try:
            await check(at)
        except (AssertionError, KeyError, ValueError) as error:
            found[name] = f"{type(error).__name__}: {error}"
    return found


@pytest.mark.timeout(600)
async def test_every_row_holds_in_every_framework(tmp_path: Path, migrated_file: MigratedFile) -> None:
    """On SQLite, all subjects beside each other; and not one row holds where the guards were forgotten."""
    database = migrated_file.copy(tmp_path / "ostiary.db")
    async with standing(tmp_path, database, SUBJECTS) as (kit, subjects):
        found = await asyncio.gather(*(broken(at) for at in subjects))
        assert not any(found), [
            {at.name: rows, "said": at.said} for at, rows in zip(subjects, found, strict=True) if rows
        ]
        for at in subjects:
            assert "Traceback" not in at.said, at.said
        app = unguarded(kit.engine)
        careless = At(
            "unguarded", subjects[0].people, 99, lambda ip: httpx2.ASGITransport(app, client=(ip, 40_000))
        )
        assert (await broken(careless)).keys() == ROWS.keys()
        await careless.aclose()


@pytest.mark.timeout(600)
async def test_every_row_holds_on_postgresql(tmp_path: Path, stock: Stock) -> None:
    """The same rows at one subject whose database is PostgreSQL."""
    database = stock.take()
    try:
        async with standing(tmp_path, database, SUBJECTS[:1]) as (_, (at,)):
            assert await broken(at) == {}, at.said
    finally:
        stock.give_back(database)
