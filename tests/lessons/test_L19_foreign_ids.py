"""L19: ids of another account were accepted in account routes. Here every route that takes one is called with them.

The cases are held against the table of routes and the API description: a new route that takes an id fails here until
it has a case.
"""

import ast
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import sqlalchemy as sa

import ostiary
from ostiary.core.access import access
from ostiary.core.change import Change
from ostiary.storage.schema import metadata
from ostiary.testing import Kit
from ostiary.testing.authenticator import SoftwareAuthenticator
from ostiary.testing.kit import Browser
from ostiary.testing.passkeys import add_passkey
from tests.core.signin.stage import changed
from tests.features.totp.stage import begun, enrolled
from tests.features.trusted_devices.stage import planted
from tests.security.stage import drained
from tests.storage.shelf import plain_engine

Case = Callable[[Kit, Browser], Awaitable[list[str]]]

# What is counted or noted whoever asks; everything else must be untouched.
MAY_CHANGE = {"throttle", "journal"}


async def session_ids(kit: Kit, victim: Browser) -> list[str]:
    """The ids of the victim's sessions."""
    listed = await victim.get("/auth/sessions")
    return [item["id"] for item in listed.json()["sessions"]]


async def app_ids(kit: Kit, victim: Browser) -> list[str]:
    """An authenticator app of the victim's."""
    app = await enrolled(kit, victim)
    await drained(kit)
    return [app.id]


async def waiting_app_ids(kit: Kit, victim: Browser) -> list[str]:
    """An app of the victim's that waits for its first code, which is known here."""
    app = await begun(kit, victim)
    CODES[app.id] = app.code()
    return [app.id]


async def emails(victim: Browser, **wanted: bool) -> list[str]:
    """The ids of the victim's addresses of a kind."""
    listed = (await victim.get("/auth/emails")).json()["emails"]
    return [item["id"] for item in listed if all(item[name] == value for name, value in wanted.items())]


async def waiting_email(kit: Kit, victim: Browser) -> list[str]:
    """The id of an address that waits for its proof."""
    if not await emails(victim, verified=False):
        email = f"{kit.engine.core.world.id()}@example.com"
        answer = await victim.post("/auth/emails", json={"email": email})
        CODES[answer.json()["id"]] = (await kit.verification(email))[1]
        await drained(kit)
    return await emails(victim, verified=False)


async def further_email(kit: Kit, victim: Browser) -> list[str]:
    """The id of a proven address that is not the primary one."""
    if not await emails(victim, verified=True, primary=False):
        email = f"{kit.engine.core.world.id()}@example.com"
        await victim.post("/auth/emails", json={"email": email})
        token, _ = await kit.verification(email)
        await victim.post("/auth/emails/verify", json={"token": token})
        await drained(kit)
    return await emails(victim, verified=True, primary=False)


async def key_ids(kit: Kit, victim: Browser) -> list[str]:
    """The id of an API key of the victim's."""
    made = await victim.post("/auth/api-keys", json={"name": "Deploy"})
    await drained(kit)
    return [made.json()["id"]]


async def passkey_ids(kit: Kit, victim: Browser) -> list[str]:
    """A passkey of the victim's."""
    added = await add_passkey(kit, victim, SoftwareAuthenticator())
    await drained(kit)
    return [added.json()["passkey"]["id"]]


async def trusted_ids(kit: Kit, victim: Browser) -> list[str]:
    """A device that the victim trusts."""
    await planted(kit, (await victim.get("/auth/session")).json()["user"]["email"])
    await drained(kit)
    return [one["id"] for one in (await victim.get("/auth/trusted-devices")).json()["trusted_devices"]]


def _name(one: str) -> dict[str, str]:
    return {"name": "Mine"}


async def people_ids(kit: Kit, victim: Browser) -> list[str]:
    """The victim's account, which may give roles itself."""
    found: str = (await victim.get("/auth/session")).json()["user"]["id"]

    async def work(change: Change) -> None:
        for role in ("superadmin", "moderator"):
            await access.grant(change, found, role, "test")

    await changed(kit, work)
    return [found]


# For each method and path with an id: the ids of another account to call it with.
CASES: dict[tuple[str, str], Case] = {
    ("DELETE", "/auth/sessions/{session_id}"): session_ids,
    ("POST", "/auth/api-keys/{key_id}/rotate"): key_ids,
    ("DELETE", "/auth/api-keys/{key_id}"): key_ids,
    ("GET", "/account/api-keys/{key_id}/rotate"): key_ids,
    ("POST", "/account/api-keys/{key_id}/rotate"): key_ids,
    ("GET", "/account/api-keys/{key_id}/revoke"): key_ids,
    ("POST", "/account/api-keys/{key_id}/revoke"): key_ids,
    ("PATCH", "/auth/passkeys/{passkey_id}"): passkey_ids,
    ("DELETE", "/auth/passkeys/{passkey_id}"): passkey_ids,
    ("GET", "/account/roles/people/{account_id}"): people_ids,
    ("POST", "/account/roles/people/{account_id}"): people_ids,
    ("GET", "/account/roles/people/{account_id}/take"): people_ids,
    ("POST", "/account/roles/people/{account_id}/take"): people_ids,
    ("GET", "/account/factors/passkeys/{passkey_id}"): passkey_ids,
    ("POST", "/account/factors/passkeys/{passkey_id}"): passkey_ids,
    ("GET", "/account/factors/passkeys/{passkey_id}/remove"): passkey_ids,
    ("POST", "/account/factors/passkeys/{passkey_id}/remove"): passkey_ids,
    ("DELETE", "/auth/trusted-devices/{device_id}"): trusted_ids,
    ("GET", "/account/trusted-devices/{device_id}/forget"): trusted_ids,
    ("POST", "/account/trusted-devices/{device_id}/forget"): trusted_ids,
    ("DELETE", "/auth/mfa/totp/{totp_id}"): app_ids,
    ("POST", "/auth/mfa/totp/{totp_id}/confirm"): waiting_app_ids,
    ("GET", "/account/factors/totp/{totp_id}"): waiting_app_ids,
    ("POST", "/account/factors/totp/{totp_id}"): waiting_app_ids,
    ("GET", "/account/factors/totp/{totp_id}/remove"): app_ids,
    ("POST", "/account/factors/totp/{totp_id}/remove"): app_ids,
    ("GET", "/account/sessions/{session_id}/end"): session_ids,
    ("POST", "/account/sessions/{session_id}/end"): session_ids,
    ("POST", "/auth/emails/{email_id}/verify"): waiting_email,
    ("POST", "/auth/emails/{email_id}/resend"): waiting_email,
    ("POST", "/auth/emails/{email_id}/primary"): further_email,
    ("DELETE", "/auth/emails/{email_id}"): further_email,
    ("GET", "/account/emails/{email_id}"): waiting_email,
    ("POST", "/account/emails/{email_id}"): waiting_email,
    ("POST", "/account/emails/{email_id}/resend"): waiting_email,
    ("GET", "/account/emails/{email_id}/primary"): further_email,
    ("POST", "/account/emails/{email_id}/primary"): further_email,
    ("GET", "/account/emails/{email_id}/remove"): further_email,
    ("POST", "/account/emails/{email_id}/remove"): further_email,
}
# What goes with an id: right for its owner, so that nothing but the owner is wrong.
CODES: dict[str, str] = {}


def _code(one: str) -> dict[str, str]:
    return {"code": CODES.get(one, "000000")}


def _role(_: str) -> dict[str, str]:
    return {"role": "moderator", "scope": ""}


BODIES: dict[tuple[str, str], Callable[[str], dict[str, str]]] = {
    ("POST", "/auth/mfa/totp/{totp_id}/confirm"): _code,
    ("POST", "/account/factors/totp/{totp_id}"): _code,
    ("PATCH", "/auth/passkeys/{passkey_id}"): _name,
    ("POST", "/account/factors/passkeys/{passkey_id}"): _name,
    ("POST", "/auth/emails/{email_id}/verify"): _code,
    ("POST", "/account/emails/{email_id}"): _code,
    ("POST", "/account/roles/people/{account_id}"): _role,
    ("POST", "/account/roles/people/{account_id}/take"): _role,
}
# Paths whose parameter names nothing of anybody's, and why.
NOBODYS: dict[tuple[str, str], str] = {
    ("GET", "/assets/{file}"): "style sheets and pictures, the same for everyone",
    ("GET", "/account/emails/{email_id}/resend"): "leads to the page of the same id, and reads nothing",
}
# Fields of bodies that are named like ids but name nothing of anybody's, and why.
NO_IDS: dict[tuple[str, str, str], str] = {}
# The same for what pages and hot routes read by name, by file.
READ_IDS: dict[tuple[str, str], str] = {
    ("http/mailbox.py", "id"): "the development mailbox, which shows all mails"
}
SOURCE = Path(ostiary.__file__).parent


async def call(kit: Kit, browser: Browser, method: str, path: str, one: str) -> httpx2.Response:
    """Call a route with an id, as our own page or script does."""
    given: dict[str, Any] = {"headers": {"origin": kit.base_url, "sec-fetch-site": "same-origin"}}
    made = BODIES.get((method, path))
    if made:
        given["json" if path.startswith("/auth/") else "data"] = made(one)
    return await browser.request(method, re.sub(r"{\w+}", one, path), **given)


def told(answer: httpx2.Response) -> tuple[int, str]:
    """What an answer tells: its status and its words, without ids, nonces and tokens."""
    return answer.status_code, re.sub(r"[\w-]{16,}", "…", answer.text)


def is_like_an_id(name: str) -> bool:
    """Whether a name says that the value names something: ``id``, ``session_id``, ``sessionIds``."""
    return re.search(r"(^|_)ids?$|[a-z0-9]Ids?$", name) is not None


def fields_in(schema: Any, schemas: dict[str, Any], seen: frozenset[str] = frozenset()) -> set[str]:
    """The names of all fields in a schema, at any depth: in lists, in alternatives, in what it refers to."""
    if isinstance(schema, list):
        return {name for one in schema for name in fields_in(one, schemas, seen)}
    if not isinstance(schema, dict):
        return set()
    reference = str(schema.get("$ref", "")).rpartition("/")[2]
    found = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set()
    if reference and reference not in seen:
        found |= fields_in(schemas[reference], schemas, seen | {reference})
    for value in schema.values():
        found |= fields_in(list(value.values()) if isinstance(value, dict) else value, schemas, seen)
        found |= fields_in(value, schemas, seen)
    return found


def described_ids(document: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Method, path and name of everything in a body, a query, a header or a cookie that is named like an id."""
    found: set[tuple[str, str, str]] = set()
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if not isinstance(operation, dict):
                continue
            named = fields_in(operation.get("requestBody", {}), schemas)
            named |= {one["name"] for one in operation.get("parameters", ()) if one["in"] != "path"}
            found |= {(method.upper(), path, name) for name in named if is_like_an_id(name)}
    return found


# How pages and hot routes, which the API description does not list, read what a form, a query or a body says.
READERS = {"query_of", "value", "text", "secret", "flag", "get", "getlist", "pop"}


def ids_read(source: str) -> set[str]:
    """What Python source reads by a name like an id: ``form.value("note_id")``, ``visit.json["id"]``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            named: list[ast.expr] = node.args if called in READERS else []
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            named = [] if "path_params" in ast.unparse(node.value) else [node.slice]
        else:
            continue
        found |= {
            str(one.value) for one in named if isinstance(one, ast.Constant) and is_like_an_id(str(one.value))
        }
    return found


def rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that is stored, but for what is counted and noted."""
    engine = plain_engine(url)
    with engine.connect() as connection:
        everything = {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for table in metadata.sorted_tables
            if table.name not in MAY_CHANGE
        }
    engine.dispose()
    return everything


async def test_every_route_with_an_id_has_a_case(kit: Kit) -> None:
    """No route takes an id that is not tried below, in its path, its query, its body or a form."""
    taking = {(line.method, line.path) for line in kit.engine.app.declared if "{" in line.path}
    assert taking - NOBODYS.keys() == CASES.keys()
    document = (await kit.browser().get("/auth/openapi.json")).json()
    assert described_ids(document) == NO_IDS.keys()
    read = {
        (str(file.relative_to(SOURCE)), name)
        for folder in ("features", "http")
        for file in (SOURCE / folder).rglob("*.py")
        if file.stem not in {"flow", "store"}  # they load no web framework, so nothing of a request
        for name in ids_read(file.read_text("utf-8"))
    }
    assert read == READ_IDS.keys()


def test_an_id_is_seen_wherever_it_hides() -> None:
    """The questions above can be answered with no."""
    inner = {"properties": {"note_id": {}, "more": {"items": {"$ref": "#/components/schemas/B"}}}}
    schema: dict[str, Any] = {
        "properties": {
            "account_id": {},
            "name": {},
            "ids": {},
            "valid": {},
            "deep": {"anyOf": [{"type": "null"}, inner]},
        }
    }
    body = {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/B"}}}}}
    query = {"parameters": [{"in": "query", "name": "ownerId"}, {"in": "path", "name": "id"}]}
    document = {"paths": {"/x": {"post": body | query}}, "components": {"schemas": {"B": schema}}}
    assert {name for *_, name in described_ids(document)} == {"account_id", "ids", "note_id", "ownerId"}
    for reads in (
        'form.value("note_id")',
        'query_of(request, "id")',
        'visit.json["ids"]',
        'form.secret("key_id", "?")',
    ):
        assert ids_read(reads), reads
    for harmless in ('request.path_params["note_id"]', 'form.value("valid")', 'made["id"] = 1', '{"id": 1}'):
        assert not ids_read(harmless), harmless


async def test_ids_of_another_account(kit: Kit, database_url: str) -> None:
    """With another account's ids every such route answers 404 or 403, as for ids of nobody, and changes nothing."""
    victim = await kit.signed_in("victim@example.com")
    mallory = await kit.signed_in("mallory@example.com")
    await kit.mail_to("mallory@example.com")
    tried = 0
    for (method, path), case in CASES.items():
        foreign = await case(kit, victim)
        assert foreign, path
        nobodys = kit.engine.core.world.id()
        before = rows(database_url)
        answers = [told(await call(kit, mallory, method, path, one)) for one in (*foreign, nobodys)]
        tried += len(answers)
        assert {status for status, _ in answers} <= {403, 404}
        assert len(set(answers)) == 1, "another's id is told from nobody's"
        assert rows(database_url) == before
    assert tried > len(CASES)
    assert (await victim.get("/auth/session")).status_code == 200


async def test_the_owner_gets_through(kit: Kit) -> None:
    """The same calls with one's own ids do work, so the refusals above are about whose they are."""
    for number, ((method, path), case) in enumerate(CASES.items()):
        owner = await kit.signed_in(f"owner{number}@example.com")
        await kit.sign_in(f"owner{number}@example.com")
        *_, own = await case(kit, owner)
        answer = await call(kit, owner, method, path, own)
        assert answer.status_code < 400, (path, answer.text)


async def test_without_a_session_nobody_gets_that_far(kit: Kit) -> None:
    """Without a session the answer is 401, or the way to sign in, whether the id is somebody's or nobody's."""
    victim = await kit.signed_in("victim@example.com")
    for (method, path), case in CASES.items():
        for one in (*await case(kit, victim), kit.engine.core.world.id()):
            answer = await call(kit, kit.browser(), method, path, one)
            if path.startswith("/auth/"):
                assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
            else:
                assert answer.status_code == 303
                assert answer.headers["location"].startswith("/login?next=")
