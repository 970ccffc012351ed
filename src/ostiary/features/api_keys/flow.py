"""Owns making, rotating and revoking API keys, by whoever owns them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import orjson

from ostiary.core.access.authority import Standing
from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import Account
from ostiary.core.api_keys import store
from ostiary.core.api_keys.keys import ApiKey, from_key_row, hash_of
from ostiary.core.api_keys.settings import ApiKeySettings
from ostiary.core.api_keys.store import KeyRow
from ostiary.core.change import Change
from ostiary.core.throttle.limits import Hit, Window
from ostiary.core.wiring import Core
from ostiary.features.api_keys.wish import Wish, judge
from ostiary.kernel.errors import NOT_FOUND, Refused, code
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import to_micros
from ostiary.protocols import api_key

SCOPE_DENIED: Final = code(
    "api_key_scope_denied",
    403,
    "A key cannot do more than its owner.",
    "`scopes` lists those that reach further than you may go yourself.",
)
LIMIT: Final = code(
    "api_key_limit",
    409,
    "There are too many API keys.",
    "The account has `api_keys_per_account` keys that are good; revoke one first.",
)
ROTATED: Final = code(
    "api_key_rotated",
    409,
    "The API key was rotated already.",
    "Its successor has taken its place; rotate that one.",
)
_FIELDS: Final = ("key", "name")
CREATED_EVENT: Final = EventType(
    "api_key_created",
    "An API key was made.",
    Severity.NOTICE,
    (*_FIELDS, "scopes", "by"),
    tell_owner=True,
    at_every_address=True,
    words="The API key “{name}” was made.",
)
ROTATED_EVENT: Final = EventType(
    "api_key_rotated",
    "An API key was given a successor; it goes on to work for a while.",
    Severity.NOTICE,
    (*_FIELDS, "successor", "by"),
    tell_owner=True,
    at_every_address=True,
    words="The API key “{name}” was rotated.",
)
REVOKED_EVENT: Final = EventType(
    "api_key_revoked",
    "An API key was revoked.",
    Severity.NOTICE,
    (*_FIELDS, "by"),
    tell_owner=True,
    at_every_address=True,
    words="The API key “{name}” was revoked.",
)
EVENTS: Final = (CREATED_EVENT, ROTATED_EVENT, REVOKED_EVENT)
OWNER: Final = "owner"


@dataclass(frozen=True, slots=True)
class Made:
    """A new key, and the one moment in which it is there as a whole."""

    key: ApiKey
    text: Secret


async def listed(core: Core, who: Principal) -> list[ApiKey]:
    """The keys of whoever asks, oldest first: those that are good, and those that have run out lately."""
    return [from_key_row(row) for row in await core.database.all(store.LISTED, of_account=who.account_id)]


async def grantable(core: Core, who: Principal) -> tuple[str, ...]:
    """The widest scopes that a key of whoever asks can have: what its roles and the policies give."""
    standing = await core.authority.standing(core.database, who)
    own = [granted for one in standing.grants for granted in standing.rules.roles.patterns(one.role)]
    return tuple(dict.fromkeys((*own, *standing.rules.policies.allowing)))


def after_days(core: Core, days: int) -> datetime:
    """The moment so many days from now."""
    return core.world.now() + timedelta(days=days)


async def create(core: Core, origin: Origin, who: Principal, wish: Wish) -> Made:
    """Make a key. It is shown by this answer, and by nothing afterwards.

    Raises:
        Refused: `fresh_authentication_required`; `invalid_request`; `api_key_scope_denied`, it would reach further than
            its owner; `api_key_limit`; `session_ended`; `too_many_attempts`.
    """
    wanted = judge(wish, settings_of(core).api_key_lifetime, core.world.now())

    async def work(change: Change) -> Made:
        account = await core.factors.hold(change, who)
        return await make(
            core, change, account, wanted, await core.authority.standing(change, who), OWNER, who.acr
        )

    async with core.runner.flow(origin) as flow:
        flow.concerns(who.account_id)
        await core.factors.require(flow.reads, who)
        await flow.reserve(_hit(core, who.account_id))
        return await flow.change(work)


async def rotate(core: Core, origin: Origin, who: Principal, key_id: str) -> Made:
    """Give a key a successor with the same name, scopes, networks and end; it goes on for `api_key_overlap`.

    Raises:
        Refused: `fresh_authentication_required`, `not_found`, `api_key_rotated`, `session_ended` or
            `too_many_attempts`.
    """

    async def work(change: Change) -> Made:
        account = await core.factors.hold(change, who)
        return await succeed(core, change, account, key_id, OWNER, who.acr)

    async with core.runner.flow(origin) as flow:
        flow.concerns(who.account_id)
        await core.factors.require(flow.reads, who)
        await flow.reserve(_hit(core, who.account_id))
        return await flow.change(work)


async def revoke(core: Core, origin: Origin, who: Principal, key_id: str) -> None:
    """Let a key count for nothing from now on.

    Raises:
        Refused: `not_found` or `session_ended`.
    """

    async def work(change: Change) -> None:
        account = await accounts.lock(change, who.account_id)
        if account is None or not await core.sessions.is_live(change, who):
            raise Refused(NOT_FOUND, "the session ended meanwhile", counted=False)
        await end(change, who.account_id, key_id, OWNER)

    async with core.runner.flow(origin) as flow:
        await flow.change(work)


async def make(
    core: Core,
    change: Change,
    account: Account,
    wanted: Wish,
    standing: Standing,
    by: str,
    acr: str | None = None,
) -> Made:
    """Write a key for an account whose row is locked.

    Args:
        wanted: As it was judged.
        standing: The account's.
        by: For the journal.
        acr: How strong the session is that makes it; None where no person does.

    Raises:
        Refused: `api_key_scope_denied` or `api_key_limit`.
    """
    if beyond := standing.beyond(wanted.scopes):
        raise Refused(SCOPE_DENIED, "beyond its owner", details={"scopes": list(beyond)}, counted=False)
    await change.run(store.DROP_ENDED, of_account=account.id)
    alive = await change.one(store.ALIVE, of_account=account.id, now=change.micros)
    if (alive or 0) >= settings_of(core).api_keys_per_account:
        raise Refused(LIMIT, "as many as there may be", counted=False)
    made = await _add(core, change, account, wanted, acr)
    await change.emit(
        CREATED_EVENT(account.id, key=made.key.shown, name=wanted.name, scopes=list(wanted.scopes), by=by)
    )
    return made


async def succeed(
    core: Core, change: Change, account: Account, key_id: str, by: str, acr: str | None = None
) -> Made:
    """Give a key a successor; the account's row is locked, so a second rotation finds what the first has done.

    Raises:
        Refused: `not_found` or `api_key_rotated`.
    """
    row = await change.one(store.FIND, of_id=key_id, of_account=account.id)
    if row is None or (row.expires_at is not None and row.expires_at <= change.micros):
        raise Refused(NOT_FOUND, "no such key of this account is good", counted=False)
    if row.rotated_to is not None:
        raise Refused(ROTATED, "rotated before", counted=False)
    old = from_key_row(row)
    made = await _add(core, change, account, Wish(old.name, old.scopes, old.networks, old.expires_at), acr)
    found = await change.run(
        store.ROTATE,
        of_id=key_id,
        of_account=account.id,
        successor=made.key.id,
        until=to_micros(change.now + settings_of(core).api_key_overlap),
        now=change.micros,
    )
    if not found:
        raise Refused(ROTATED, "rotated meanwhile", counted=False)
    await change.emit(
        ROTATED_EVENT(account.id, key=old.shown, name=old.name, successor=made.key.shown, by=by)
    )
    return made


async def end(change: Change, account_id: str, key_id: str, by: str) -> None:
    """Let a key of an account count for nothing.

    Raises:
        Refused: `not_found`.
    """
    row = await change.one(store.REVOKE, of_id=key_id, of_account=account_id, now=change.micros)
    if row is None:
        raise Refused(NOT_FOUND, "no such key of this account is good", counted=False)
    await change.emit(REVOKED_EVENT(account_id, key=row.shown, name=row.name, by=by))


async def _add(core: Core, change: Change, account: Account, wanted: Wish, acr: str | None) -> Made:
    settings = settings_of(core)
    secret = Secret(change.world.bytes(api_key.SECRET_BYTES))
    text = api_key.write(settings.api_key_prefix, settings.api_key_environment, change.world.id(), secret)
    row = KeyRow(
        text.id,
        account.id,
        wanted.name,
        text.shown,
        orjson.dumps(wanted.scopes).decode(),
        orjson.dumps(wanted.networks).decode(),
        change.micros,
        None if wanted.expires_at is None else to_micros(wanted.expires_at),
        None,
        None,
        None,
        acr,
    )
    await change.run(
        store.ADD,
        id=row.id,
        account_id=row.account_id,
        name=row.name,
        shown=row.shown,
        hash=hash_of(text.text),
        security_epoch=account.security_epoch,
        scopes=row.scopes,
        networks=row.networks,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=None,
        revoked_at=None,
        rotated_to=None,
        acr=acr,
    )
    return Made(from_key_row(row), text.text)


def settings_of(core: Core) -> ApiKeySettings:
    """The settings of keys."""
    return core.settings.of(ApiKeySettings)


def _hit(core: Core, account_id: str) -> Hit:
    window = Window("api-keys", settings_of(core).api_key_changes_per_account, by_network=False)
    return Hit(window, accounts.subject_of(account_id))
