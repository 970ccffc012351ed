"""Owns passkeys in tests: whose authenticator is whose, and both ceremonies over HTTP."""

import os
from datetime import timedelta
from typing import Any, Final

import httpx2
import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.accounts import accounts
from ostiary.core.change import Change
from ostiary.core.tokens.settings import COOKIE, Delivery
from ostiary.kernel.origin import Origin
from ostiary.protocols.webauthn.answers import read_registration
from ostiary.protocols.webauthn.client_data import RelyingParty
from ostiary.protocols.webauthn.options import creation_options
from ostiary.protocols.webauthn.registration import verify_registration
from ostiary.storage.schema import metadata
from ostiary.storage.statement import command
from ostiary.testing.authenticator import NOTHING, Amiss, SoftwareAuthenticator, decode, encode
from ostiary.testing.kit import Browser, Kit

# By its name: nothing but the engine's list knows the rib.
_TABLE: Final = metadata.tables["passkey"]
_ADD: Final = command(
    "testing.add_passkey",
    sa.insert(_TABLE).values({column.name: bindparam(column.name) for column in _TABLE.columns}),
)

# By account: ids are unique over all engines of a test run.
_AUTHENTICATORS: Final[dict[str, SoftwareAuthenticator]] = {}


async def account_of(kit: Kit, address: str) -> str:
    """The id of the account that has an address."""
    found = await accounts.find(kit.engine.core.database, address)
    if found is None:
        raise AssertionError(f"nobody has {address}")
    return found.account_id


async def authenticator_of(kit: Kit, address: str) -> SoftwareAuthenticator:
    """What the account's owner has at hand; they get one with a passkey if the account has none now."""
    account_id, core = await account_of(kit, address), kit.engine.core
    if not await core.factors.by_name["passkey"].is_enrolled(core.database, account_id):
        keep(account_id, SoftwareAuthenticator())
        await _plant(kit, account_id)
    return _AUTHENTICATORS[account_id]


def keep(account_id: str, authenticator: SoftwareAuthenticator) -> None:
    """Remember whose authenticator it is."""
    _AUTHENTICATORS[account_id] = authenticator


async def options_for(browser: Browser, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The options that a route answers with."""
    asked = await browser.post(path, json=body)
    asked.raise_for_status()
    told: dict[str, Any] = asked.json()["options"]
    return told


async def add_passkey(
    kit: Kit,
    browser: Browser,
    authenticator: SoftwareAuthenticator,
    name: str = "",
    *,
    amiss: Amiss = NOTHING,
) -> httpx2.Response:
    """Add a passkey in a browser that is freshly signed in."""
    options = await options_for(browser, "/auth/passkeys/register/options")
    response = authenticator.create(options, kit.base_url, amiss=amiss)
    return await browser.post("/auth/passkeys/register", json={"response": response, "name": name})


async def sign_up(
    kit: Kit,
    browser: Browser,
    authenticator: SoftwareAuthenticator,
    address: str,
    name: str = "",
    *,
    amiss: Amiss = NOTHING,
) -> httpx2.Response:
    """Register an address with a passkey in place of a password."""
    asked = {"email": address, "factor": "passkey"}
    options = await options_for(browser, "/auth/register/options", asked)
    response = authenticator.create(options, kit.base_url, amiss=amiss)
    return await browser.post("/auth/register", json={**asked, "name": name, "response": response})


async def sign_in_options(browser: Browser, delivery: Delivery = COOKIE) -> dict[str, Any]:
    """Options that ask for any passkey."""
    return await options_for(browser, "/auth/passkeys/login/options", {"delivery": delivery})


async def sign_in(
    kit: Kit,
    browser: Browser,
    authenticator: SoftwareAuthenticator,
    *,
    options: dict[str, Any] | None = None,
    amiss: Amiss = NOTHING,
    **given: Any,
) -> httpx2.Response:
    """Sign in with the newest passkey of an authenticator.

    Args:
        options: From `sign_in_options`; asked for if there are none.
        given: Further members of the body.
    """
    asked = options or await sign_in_options(browser, given.get("delivery", COOKIE))
    response = authenticator.get(asked, kit.base_url, amiss=amiss)
    return await browser.post("/auth/passkeys/login", json={"response": response, **given})


async def answer_factor(
    kit: Kit,
    browser: Browser,
    attempt: str,
    authenticator: SoftwareAuthenticator,
    delivery: Delivery = COOKIE,
    *,
    amiss: Amiss = NOTHING,
) -> httpx2.Response:
    """Answer a sign-in that waits with the newest passkey, whether or not it was asked for."""
    given = {"attempt": attempt, "factor": "passkey", "delivery": delivery}
    asked = await browser.post("/auth/login/challenge", json=given)
    if asked.status_code != 202:
        return asked
    options = asked.json()["challenge"]["options"]
    chosen = authenticator.credentials[-1]
    response = authenticator.answer(chosen, options, kit.base_url, amiss=amiss)
    return await browser.post("/auth/login/factor", json={**given, "response": response})


async def _plant(kit: Kit, account_id: str) -> None:
    """Give an account a passkey without signing in, as if it had been added long ago."""
    core, challenge, handle = kit.engine.core, os.urandom(32), os.urandom(64)
    domain = (await sign_in_options(kit.browser()))["rpId"]
    site = RelyingParty(domain, "", frozenset({kit.base_url}))
    options = creation_options(site, challenge, handle, account_id, (), timedelta(minutes=5))
    answer = read_registration(_AUTHENTICATORS[account_id].create(options, kit.base_url))
    made = verify_registration(answer, challenge, site)

    async def work(change: Change) -> None:
        await change.run(
            _ADD,
            id=core.world.id(),
            account_id=account_id,
            credential_id=encode(made.id),
            user_handle=decode(options["user"]["id"]),
            public_key=made.public_key,
            algorithm=made.algorithm,
            sign_count=made.sign_count,
            aaguid=made.aaguid,
            transports="[]",
            name="",
            is_verifying=int(made.is_verified),
            is_syncable=int(made.may_be_synced),
            is_synced=int(made.is_synced),
            created_at=change.micros,
            last_used_at=change.micros,
        )

    async with core.runner.flow(Origin()) as flow:
        await flow.change(work)
