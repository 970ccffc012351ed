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
from ostiary.testing.authenticator import SoftwareAuthenticator
from ostiary.testing.kit import PASSWORD
from ostiary.testing.passkeys import add_passkey, authenticator_of, keep, sign_in
from tests.core.signin.stage import MOMENT, StoppedClock, dump
from tests.features.api_keys.stage import give
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
    async with running(tmp_path, database=database_url, clock=StoppedClock(), email_code=True) as kit:
        yield kit


CODE, WORDS = {"code": "123456"}, {"name": "more"}
# Everything that changes an account, with a body that is right but for the proof. A new route has to be put here, or
# among those below with the reason why it may be asked for by whoever has the session.
GUARDED: Final[dict[tuple[str, str], dict[str, Any] | None]] = {
    ("POST", "/auth/emails"): {"email": "anna@work.example.com"},
    ("POST", "/auth/emails/{email_id}/primary"): None,
    ("DELETE", "/auth/emails/{email_id}"): None,
    ("POST", "/auth/password/change"): {"new_password": NEW},
    ("POST", "/auth/api-keys"): {"name": "more", "scopes": []},
    ("POST", "/auth/api-keys/{key_id}/rotate"): None,
    ("POST", "/auth/mfa/totp"): None,
    ("POST", "/auth/mfa/totp/{totp_id}/confirm"): CODE,
    ("DELETE", "/auth/mfa/totp/{totp_id}"): None,
    ("POST", "/auth/mfa/email-code"): None,
    ("POST", "/auth/mfa/email-code/confirm"): CODE,
    ("DELETE", "/auth/mfa/email-code"): None,
    ("POST", "/auth/mfa/backup-codes"): None,
    ("POST", "/auth/passkeys/register/options"): None,
    ("POST", "/auth/passkeys/register"): {"response": {"id": "x"}, "name": ""},
    ("DELETE", "/auth/passkeys/{passkey_id}"): None,
    ("DELETE", "/auth/account"): None,
    ("POST", "/account/emails/add"): {"email": "anna@work.example.com"},
    ("POST", "/account/emails/{email_id}/primary"): {},
    ("POST", "/account/emails/{email_id}/remove"): {},
    ("POST", "/account/password"): {"new_password": NEW, "current_password": PASSWORD},
    ("POST", "/account/api-keys/new"): {"name": "more", "days": "30"},
    ("POST", "/account/api-keys/{key_id}/rotate"): {},
    ("POST", "/account/factors/totp/new"): WORDS,
    ("POST", "/account/factors/totp/{totp_id}"): CODE,
    ("POST", "/account/factors/totp/{totp_id}/remove"): {},
    ("POST", "/account/factors/email-code"): {},
    ("POST", "/account/factors/email-code/confirm"): CODE,
    ("POST", "/account/factors/email-code/remove"): {},
    ("POST", "/account/factors/backup-codes"): {},
    ("POST", "/account/factors/passkeys/new"): {"response": "{}", "name": ""},
    ("POST", "/account/factors/passkeys/{passkey_id}/remove"): {},
    ("POST", "/account/roles/people"): {"email": "anna@example.com"},
    ("POST", "/account/roles/people/{account_id}"): {"role": "admin"},
    ("POST", "/account/roles/people/{account_id}/take"): {"role": "superadmin", "scope": ""},
    ("POST", "/account/export"): {},
    ("POST", "/account/delete"): {"email": "anna@example.com"},
}
_ENDS, _ASKED, _NAMES = (
    "it ends something",
    "the address was given after a fresh proof",
    "a name opens nothing",
)
OPEN: Final = {
    ("DELETE", "/auth/api-keys/{key_id}"): _ENDS,
    ("POST", "/account/api-keys/{key_id}/revoke"): _ENDS,
    ("DELETE", "/auth/sessions/{session_id}"): _ENDS,
    ("POST", "/auth/sessions/revoke-others"): _ENDS,
    ("POST", "/account/sessions/end-others"): _ENDS,
    ("POST", "/account/sessions/{session_id}/end"): _ENDS,
    ("DELETE", "/auth/trusted-devices"): _ENDS,
    ("DELETE", "/auth/trusted-devices/{device_id}"): _ENDS,
    ("POST", "/account/trusted-devices/forget-all"): _ENDS,
    ("POST", "/account/trusted-devices/{device_id}/forget"): _ENDS,
    ("POST", "/account/emails/confirm"): _ASKED,
    ("POST", "/account/emails/{email_id}"): _ASKED,
    ("POST", "/account/emails/{email_id}/resend"): _ASKED,
    ("POST", "/auth/emails/verify"): _ASKED,
    ("POST", "/auth/emails/{email_id}/resend"): _ASKED,
    ("POST", "/auth/emails/{email_id}/verify"): _ASKED,
    ("PATCH", "/auth/account"): _NAMES,
    ("POST", "/account/profile"): _NAMES,
    ("PATCH", "/auth/passkeys/{passkey_id}"): _NAMES,
    ("POST", "/account/factors/passkeys/{passkey_id}"): _NAMES,
    ("POST", "/auth/claim"): "the setup token is the proof",
    ("POST", "/claim"): "the setup token is the proof",
}
Action = tuple[str, str, dict[str, Any] | None]


async def actions(kit: Kit, browser: Browser) -> list[Action]:
    """Everything that guards the account of whoever is signed in here, with something there to do it to."""
    account = (await browser.get("/auth/session")).json()["user"]["id"]
    await give(kit, account, "superadmin")
    key = await browser.post("/auth/api-keys", json={"name": "build", "scopes": []})
    assert key.status_code == 201, key.text
    authenticator = SoftwareAuthenticator()
    keep(account, authenticator)
    passkey = (await add_passkey(kit, browser, authenticator)).json()["passkey"]["id"]
    there = {
        "account_id": account,
        "email_id": (await browser.get("/auth/emails")).json()["emails"][0]["id"],
        "key_id": key.json()["id"],
        "passkey_id": passkey,
        "totp_id": (await begun(kit, browser)).id,
    }
    made = [(method, path.format(**there), body) for (method, path), body in GUARDED.items()]
    return [*made, ("GET", "/auth/account/export", None)]


async def test_every_route_is_judged(kit: Kit) -> None:
    """Whatever a session may change stands in one of the two tables, and nothing else does."""
    changing = {
        (line.method, line.path)
        for line in kit.engine.app.declared
        if line.access == "session" and line.method not in ("GET", "HEAD")
    }
    assert changing == {*GUARDED, *OPEN}
    assert not set(GUARDED) & set(OPEN)


PAGES: Final = (
    "/account/emails/add", "/account/factors/totp/new", "/account/api-keys/new", "/account/delete",
)  # fmt: skip


async def send(browser: Browser, method: str, path: str, body: dict[str, Any] | None) -> httpx2.Response:
    """Do it: a form where a page is."""
    given: dict[str, Any] = {"data": body} if path.startswith("/account") else {"json": body}
    return await browser.request(method, path, **given)


async def refused(browser: Browser, action: Action) -> str:
    """That a fresh proof is asked for: by the code, or by the way to the sign-in page. What is told along."""
    answer = await send(browser, *action)
    if action[1].startswith("/account"):
        assert (answer.status_code, answer.headers["location"][:7]) == (303, "/login?"), (action, answer.text)
        return ""
    assert (answer.status_code, code_of(answer)) == (401, "fresh_authentication_required"), action
    return answer.headers["www-authenticate"]


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
    for action in tried:
        assert 'acr_values="2"' in (await refused(weak, action) or 'acr_values="2"'), action
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
    for action in tried:
        # The page asks for the old password along with the new one, and that is a proof of now.
        if action[1] != "/account/password":
            assert 'max_age="900"' in (await refused(browser, action) or 'max_age="900"'), action
    assert await dump(kit, without=MOVING) == before
    for path in PAGES:
        assert (await browser.get(path)).status_code == 303, path
    assert (await sign_in(kit, browser, await authenticator_of(kit, ANNA))).json()["status"] == "complete"
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
