"""Owns adding a passkey, in two steps, and naming, listing and removing passkeys."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ostiary.core.accounts import accounts
from ostiary.core.accounts.line import read_line
from ostiary.core.change import Change
from ostiary.core.sessions.sessions import Resolved
from ostiary.core.signin.factors import Added
from ostiary.core.throttle.limits import Hit
from ostiary.core.tokens.settings import COOKIE, Delivery
from ostiary.core.wiring import Core
from ostiary.features.passkeys import store
from ostiary.features.passkeys.challenge import REGISTER, claim, draw, seal
from ostiary.features.passkeys.judging import CLONED, NAME, describe, method_of, title_of
from ostiary.features.passkeys.making import REFUSED, judge_made, put, refused, row_of
from ostiary.features.passkeys.settings import PasskeySettings, site_of
from ostiary.features.passkeys.store import PasskeyRow
from ostiary.kernel.errors import INVALID_REQUEST, NOT_FOUND, Refused, code
from ostiary.kernel.events import EventType
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal
from ostiary.kernel.world import from_micros
from ostiary.protocols.jose import base64url
from ostiary.protocols.webauthn.answers import LONGEST_HANDLE
from ostiary.protocols.webauthn.options import creation_options
from ostiary.protocols.webauthn.providers import provider_name

PASSKEY_LIMIT: Final = code(
    "passkey_limit",
    409,
    "There are too many passkeys.",
    "The account has `passkeys_per_account` of them; remove one first.",
)
RENAMED: Final = EventType(
    "passkey_renamed",
    "A passkey got another name.",
    fields=("name",),
    words="A passkey is now called {name}.",
)
EVENTS: Final = (REFUSED, RENAMED, CLONED)
LONGEST_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey, as its owner sees it.

    Attributes:
        name: Given by the owner; may be empty.
        provider: Who made the authenticator, by what it says; "" if nobody knows.
        may_be_synced: It can be on several devices; otherwise it is bound to one.
        is_synced: It was, at its last use.
        is_verifying: It can sign in alone: PIN, fingerprint or face stand in front of it.
    """

    id: str
    name: str
    provider: str
    title: str
    may_be_synced: bool
    is_synced: bool
    is_verifying: bool
    created_at: datetime
    last_used_at: datetime | None


def _seen(row: PasskeyRow) -> Passkey:
    return Passkey(
        row.id,
        row.name,
        provider_name(row.aaguid),
        title_of(row),
        bool(row.is_syncable),
        bool(row.is_synced),
        bool(row.is_verifying),
        from_micros(row.created_at),
        None if row.last_used_at is None else from_micros(row.last_used_at),
    )


async def mine(core: Core, who: Principal) -> list[Passkey]:
    """One's own passkeys, oldest first."""
    return [_seen(row) for row in await core.database.all(store.OF_ACCOUNT, of_account=who.account_id)]


async def begin(core: Core, current: Resolved) -> dict[str, Any]:
    """Options for `navigator.credentials.create`. Nothing is stored.

    Raises:
        Refused: `fresh_authentication_required` or `passkey_limit`.
    """
    who, lifetime = current.principal, core.settings.of(PasskeySettings).passkey_challenge_lifetime
    await core.factors.require(core.database, who)
    rows = await core.database.all(store.OF_ACCOUNT, of_account=who.account_id)
    _demand_room(core, rows)
    handle = rows[0].user_handle if rows else core.world.bytes(LONGEST_HANDLE)
    drawn = draw(
        core.world,
        REGISTER,
        current.session.id,
        lifetime,
        account_id=who.account_id,
        security_epoch=current.account.security_epoch,
        handle=base64url.encode(handle),
    )
    known = [describe(row) for row in rows]
    sealed = seal(core.ring, drawn)
    return creation_options(site_of(core.settings), sealed, handle, current.account.label, known, lifetime)


async def add(
    core: Core,
    origin: Origin,
    who: Principal,
    sent: Mapping[str, Any],
    name: str = "",
    delivery: Delivery = COOKIE,
) -> tuple[Passkey, Added]:
    """Add the passkey that an authenticator has made.

    Args:
        sent: A `RegistrationResponseJSON`.
        name: What its owner calls it; may be empty.

    Returns:
        The passkey; backup codes, if it is the first factor, and the session's new id, if it rose.

    Raises:
        Refused: `invalid_request` for a name that is no line, `fresh_authentication_required`, `passkey_refused`,
            `passkey_known`, `passkey_limit`, `session_ended` or `too_many_attempts`.
    """
    called = _read_name(name)
    async with core.runner.flow(origin) as flow:
        flow.concerns(who.account_id)
        await core.factors.require(flow.reads, who)
        await flow.reserve(Hit(core.factors.window, origin.network))
        challenge, made = judge_made(core, sent, REGISTER, who.session_id or "", who.account_id)
        row = row_of(core.world, who.account_id, base64url.decode(challenge.handle), made, called)
        prepared = await core.factors.prepare(flow.reads, who.account_id)

        async def work(change: Change) -> Added:
            account = await core.factors.hold(change, who)
            rows = await change.all(store.OF_ACCOUNT, of_account=who.account_id)
            _demand_room(core, rows)
            # Of several that begin at the same time with none there, one names the account for its authenticators.
            is_named = all(one.user_handle == row.user_handle for one in rows)
            is_current = account.security_epoch == challenge.security_epoch
            if not (is_named and is_current and await claim(change, core.once, challenge)):
                raise refused("used before, or the account has changed", who.account_id)
            await put(change, row, made.algorithm)
            return await core.factors.added(
                change, who, NAME, title_of(row), method_of(row), prepared, rises=delivery == COOKIE
            )

        return _seen(row), await flow.change(work)


async def rename(core: Core, origin: Origin, who: Principal, passkey_id: str, name: str) -> Passkey:
    """Call a passkey something else.

    Raises:
        Refused: `invalid_request` or `not_found`.
    """
    called = _read_name(name)

    async def work(change: Change) -> Passkey:
        await accounts.lock_active(change, who.account_id)
        row = await change.one(store.RENAME, of_id=passkey_id, of_account=who.account_id, new_name=called)
        if row is None:
            raise Refused(NOT_FOUND, "no such passkey of this account")
        await change.emit(RENAMED(who.account_id, name=title_of(row)))
        return _seen(row)

    async with core.runner.flow(origin) as flow:
        return await flow.change(work)


async def remove(core: Core, origin: Origin, who: Principal, passkey_id: str) -> None:
    """Remove a passkey; what its authenticator keeps is worth nothing from now on.

    Raises:
        Refused: `fresh_authentication_required`, `not_found`, or `factor_needed`.
    """

    async def work(change: Change) -> None:
        await core.factors.hold(change, who)
        row = await change.one(store.REMOVE, of_id=passkey_id, of_account=who.account_id)
        if row is None:
            raise Refused(NOT_FOUND, "no such passkey of this account")
        await core.factors.removed(change, who.account_id, NAME, title_of(row))

    async with core.runner.flow(origin) as flow:
        await flow.change(work)


def _demand_room(core: Core, rows: list[PasskeyRow]) -> None:
    if len(rows) >= core.settings.of(PasskeySettings).passkeys_per_account:
        raise Refused(PASSKEY_LIMIT, counted=False)


def _read_name(typed: str) -> str:
    try:
        return read_line(typed, LONGEST_NAME)
    except ValueError as error:
        mistake = {"loc": ["name"], "message": str(error), "type": "name"}
        raise Refused(INVALID_REQUEST, "name", details={"errors": [mistake]}, counted=False) from None
