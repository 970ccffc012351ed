"""What guards an account asks for a fresh proof at the account's own level, wherever it is done (C6, ASVS 7.5.1)."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from fastapi import FastAPI

from ostiary.integrations.fastapi import Ostiary, requires_fresh
from ostiary.kernel.errors import Misuse
from ostiary.testing import Browser, Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import MOMENT, StoppedClock, dump, login
from tests.features.password.stage import NEW
from tests.features.tokens.stage import code_of
from tests.features.totp.stage import begun, enrolled

ANNA: Final = "anna@example.com"
FRESH: Final = timedelta(minutes=15)
# What a refusal may change: counters, the journal, the way of mails, and when a session was seen last.
MOVING: Final = ("throttle", "journal", "outbox", "session", "once")


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """A running engine whose time passes only when it is turned."""
    async with running(tmp_path, database=database_url, clock=StoppedClock()) as kit:
        yield kit


async def actions(kit: Kit, browser: Browser) -> list[tuple[str, str, dict[str, Any] | None]]:
    """Everything that guards the account of whoever is signed in here, with something there to do it to."""
    made = await browser.post("/auth/api-keys", json={"name": "build", "scopes": []})
    assert made.status_code == 201, made.text
    email = (await browser.get("/auth/emails")).json()["emails"][0]["id"]
    app = await begun(kit, browser)
    return [
        ("POST", "/auth/emails", {"email": "anna@work.example.com"}),
        ("POST", f"/auth/emails/{email}/primary", None),
        ("DELETE", f"/auth/emails/{email}", None),
        ("POST", "/auth/password/change", {"new_password": NEW}),
        ("POST", "/auth/api-keys", {"name": "more", "scopes": []}),
        ("POST", f"/auth/api-keys/{made.json()['id']}/rotate", None),
        ("POST", "/auth/mfa/totp", None),
        ("POST", f"/auth/mfa/totp/{app.id}/confirm", {"code": app.code()}),
        ("DELETE", f"/auth/mfa/totp/{app.id}", None),
        ("POST", "/auth/mfa/backup-codes", None),
        ("GET", "/auth/account/export", None),
        ("DELETE", "/auth/account", None),
    ]  # fmt: skip


PAGES: Final = (
    "/account/emails/add", "/account/factors/totp/new", "/account/api-keys/new", "/account/delete",
)  # fmt: skip


async def send(browser: Browser, method: str, path: str, body: dict[str, Any] | None) -> httpx2.Response:
    """Do it."""
    return await browser.request(method, path, json=body)


async def test_a_session_that_has_shown_less(kit: Kit) -> None:
    """Signed in a moment ago with a password alone, beside an account with a second factor: refused, with `acr_values`.

    Pages lead to the sign-in page, which asks for all of it again.
    """
    weak = await kit.signed_in(ANNA)
    strong = await kit.sign_in(ANNA)
    await enrolled(kit, strong)
    told = (await weak.get("/auth/session")).json()["session"]
    assert told["acr"] == "1", "it lives on, and reads what it could read"
    tried = await actions(kit, strong)
    tried.append(("POST", "/auth/password/change", {"new_password": NEW, "current_password": PASSWORD}))
    before = await dump(kit, without=MOVING)
    for method, path, body in tried:
        answer = await send(weak, method, path, body)
        assert (answer.status_code, code_of(answer)) == (401, "fresh_authentication_required"), path
        assert 'acr_values="2"' in answer.headers["www-authenticate"], path
    for path in (*PAGES, "/account/password"):
        page = await weak.get(path)
        assert page.status_code == 303, path
        assert page.headers["location"].startswith("/login?"), path
    assert await dump(kit, without=MOVING) == before


async def test_it_ends_to_the_moment(kit: Kit) -> None:
    """More than fifteen minutes after the proof, and not a moment before; a new proof opens it again."""
    browser = await kit.signed_in(ANNA)
    tried = await actions(kit, browser)
    kit.clock.turn(FRESH)
    assert (await browser.post("/auth/mfa/totp")).status_code == 200
    kit.clock.turn(MOMENT)
    before = await dump(kit, without=MOVING)
    for method, path, body in tried:
        answer = await send(browser, method, path, body)
        assert (answer.status_code, code_of(answer)) == (401, "fresh_authentication_required"), path
        assert 'max_age="900"' in answer.headers["www-authenticate"], path
    assert await dump(kit, without=MOVING) == before
    for path in PAGES:
        assert (await browser.get(path)).status_code == 303, path
    assert (await login(browser, ANNA)).json()["status"] == "complete"
    assert (await browser.get("/auth/account/export")).status_code == 200


async def test_a_host_asks_for_its_own(kit: Kit) -> None:
    """`requires_fresh` asks for what the account has, for two factors, or for time alone, as the host says."""
    app, auth = FastAPI(), Ostiary(kit.engine)
    for name, given in {"own": {}, "two": {"acr": "2"}, "any": {"acr": "1"}}.items():
        app.get(f"/{name}", dependencies=[requires_fresh(5, **given)])(lambda: "done")  # type: ignore[arg-type]
    auth.install(app)

    async def ask(browser: Browser) -> list[str]:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(
            transport=transport, base_url=kit.base_url, cookies=browser.cookies
        ) as client:
            return [code_of(await client.get(f"/{name}")) for name in ("own", "two", "any")]

    late = "fresh_authentication_required"
    weak = await kit.signed_in(ANNA)
    assert await ask(weak) == ["", late, ""]
    strong = await kit.sign_in(ANNA)
    await enrolled(kit, strong)
    assert await ask(weak) == [late, late, ""]
    assert await ask(strong) == ["", "", ""]
    kit.clock.turn(timedelta(minutes=5) + MOMENT)
    assert await ask(strong) == [late, late, late]
    with pytest.raises(Misuse, match="write one of"):
        requires_fresh(5, acr="3")  # type: ignore[arg-type]
