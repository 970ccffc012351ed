"""Owns making, rotating and revoking API keys, by whoever owns them and for services by the operator."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Network, ip_network
from typing import Any, Final

import orjson

from ostiary.core.access.authority import Standing
from ostiary.core.access.permission import is_pattern
from ostiary.core.accounts import accounts, services
from ostiary.core.accounts.accounts import Account
from ostiary.core.accounts.line import read_line
from ostiary.core.api_keys import store
from ostiary.core.api_keys.keys import ApiKey, from_key_row, hash_of
from ostiary.core.api_keys.settings import ApiKeySettings
from ostiary.core.api_keys.store import KeyRow
from ostiary.core.change import Change
from ostiary.core.throttle.limits import Hit, Window
from ostiary.core.wiring import Core
from ostiary.kernel.errors import INVALID_REQUEST, NOT_FOUND, Misuse, Refused, code
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
    words="The API key “{name}” was made.",
)
ROTATED_EVENT: Final = EventType(
    "api_key_rotated",
    "An API key was given a successor; it goes on to work for a while.",
    Severity.NOTICE,
    (*_FIELDS, "successor", "by"),
    words="The API key “{name}” was rotated.",
)
REVOKED_EVENT: Final = EventType(
    "api_key_revoked",
    "An API key was revoked.",
    Severity.NOTICE,
    (*_FIELDS, "by"),
    words="The API key “{name}” was revoked.",
)
EVENTS: Final = (CREATED_EVENT, ROTATED_EVENT, REVOKED_EVENT)
OWNER: Final = "owner"
OPERATOR: Final = "operator"
LONGEST_NAME: Final = 60
MOST_SCOPES: Final = 50
LONGEST_SCOPE: Final = 140
MOST_NETWORKS: Final = 20
LONGEST_NETWORK: Final = 64
_IPV4_MAPPED: Final = IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a new key shall be.

    Attributes:
        scopes: Patterns of permissions; without any the key can only say whose it is.
        networks: From where it may be used, as CIDR or single addresses; empty for everywhere.
        expires_at: When it ends; None for as late as the settings allow.
    """

    name: str
    scopes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A new key, and the one moment in which it is there as a whole."""

    key: ApiKey
    text: Secret


def judge(wish: Wish, longest: timedelta, now: datetime) -> Wish:
    """The wish in the form in which it is stored. Pure.

    Args:
        longest: How long a key may be good; zero for without end.

    Raises:
        Refused: `invalid_request`, with every mistake and its place.
    """
    mistakes: list[dict[str, Any]] = []
    name, scopes, networks = "", tuple(sorted(set(wish.scopes))), []
    try:
        name = read_line(wish.name, LONGEST_NAME)
        if not name:
            mistakes.append(_mistake("name", "Give the key a name."))
    except ValueError as error:
        mistakes.append(_mistake("name", str(error)))
    if len(scopes) > MOST_SCOPES or not all(map(is_pattern, scopes)):
        mistakes.append(
            _mistake("scopes", f"Write permissions such as notes:read or notes:*, at most {MOST_SCOPES}.")
        )
    try:
        networks = list(dict.fromkeys(read_network(words) for words in wish.networks))
    except ValueError:
        mistakes.append(_mistake("networks", "Write addresses, or networks such as 203.0.113.0/24."))
    if len(networks) > MOST_NETWORKS:
        mistakes.append(_mistake("networks", f"Give at most {MOST_NETWORKS} networks."))
    latest = now + longest if longest else None
    ends = wish.expires_at or latest
    if ends is not None and ends <= now:
        mistakes.append(_mistake("expires_at", "Give a moment that is to come."))
    if ends is not None and latest is not None and ends > latest:
        mistakes.append(_mistake("expires_at", f"A key is good for at most {longest.days} days."))
    if mistakes:
        raise Refused(INVALID_REQUEST, "a key's wish", details={"errors": mistakes}, counted=False)
    return Wish(name, scopes, tuple(networks), ends)


def read_network(words: str) -> str:
    """A network, or one address, in the form that addresses are compared with; IPv4-mapped ones become IPv4.

    Raises:
        ValueError: it is none, or has bits beyond its length.
    """
    network = ip_network(words.strip()[: LONGEST_NETWORK + 1])
    if isinstance(network, IPv6Network):
        if network.network_address.scope_id is not None:
            raise ValueError("a zone means nothing elsewhere")
        if network.subnet_of(_IPV4_MAPPED):
            return str(ip_network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96)))
    return str(network)


def _mistake(field: str, message: str) -> dict[str, Any]:
    return {"loc": [field], "message": message, "type": field}


async def listed(core: Core, who: Principal) -> list[ApiKey]:
    """The keys of whoever asks, oldest first: those that are good, and those that have run out lately."""
    return [from_key_row(row) for row in await core.database.all(store.LISTED, of_account=who.account_id)]


async def grantable(core: Core, who: Principal) -> tuple[str, ...]:
    """The widest scopes that a key of whoever asks can have: what its roles and the policies give."""
    standing = await core.authority.standing(core.database, who)
    own = [granted for one in standing.grants for granted in standing.rules.roles.patterns(one.role)]
    return tuple(dict.fromkeys((*own, *standing.rules.policies.allowing)))


async def create(core: Core, origin: Origin, who: Principal, wish: Wish) -> Made:
    """Make a key. It is shown by this answer, and by nothing afterwards.

    Raises:
        Refused: `fresh_authentication_required`; `invalid_request`; `api_key_scope_denied`, it would reach further than
            its owner; `api_key_limit`; `session_ended`; `too_many_attempts`.
    """
    wanted = judge(wish, _settings(core).api_key_lifetime, core.world.now())

    async def work(change: Change) -> Made:
        account = await core.factors.hold(change, who)
        return await _make(core, change, account, wanted, await core.authority.standing(change, who), OWNER)

    async with core.runner.flow(origin) as flow:
        flow.concerns(who.account_id)
        await core.factors.require(flow.reads, who)
        await flow.reserve(_hit(core, who.account_id))
        return await flow.change(work)


async def create_for_service(core: Core, service: str, wish: Wish) -> Made:
    """The same for a service, whose account is made if there is none of that name.

    Raises:
        Misuse: the name is none.
        Refused: as `create`.
    """
    wanted = judge(wish, _settings(core).api_key_lifetime, core.world.now())

    async def work(change: Change) -> Made:
        account = await services.find_or_create(change, service)
        standing = await core.authority.standing_of(change, account.id)
        return await _make(core, change, account, wanted, standing, OPERATOR)

    async with core.runner.flow(Origin()) as flow:
        return await flow.change(work)


async def rotate(core: Core, origin: Origin, who: Principal, key_id: str) -> Made:
    """Give a key a successor with the same name, scopes, networks and end; it goes on for `api_key_overlap`.

    Raises:
        Refused: `fresh_authentication_required`, `not_found`, `api_key_rotated`, `session_ended` or
            `too_many_attempts`.
    """

    async def work(change: Change) -> Made:
        account = await core.factors.hold(change, who)
        return await _rotate(core, change, account, key_id, OWNER)

    async with core.runner.flow(origin) as flow:
        flow.concerns(who.account_id)
        await core.factors.require(flow.reads, who)
        await flow.reserve(_hit(core, who.account_id))
        return await flow.change(work)


async def rotate_for_service(core: Core, service: str, key_id: str) -> Made:
    """The same for a key of a service.

    Raises:
        Misuse: there is no such service.
        Refused: `not_found` or `api_key_rotated`.
    """

    async def work(change: Change) -> Made:
        return await _rotate(core, change, await _service(change, service), key_id, OPERATOR)

    async with core.runner.flow(Origin()) as flow:
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
        await _revoke(change, who.account_id, key_id, OWNER)

    async with core.runner.flow(origin) as flow:
        await flow.change(work)


async def _make(
    core: Core, change: Change, account: Account, wanted: Wish, standing: Standing, by: str
) -> Made:
    if beyond := standing.beyond(wanted.scopes):
        raise Refused(SCOPE_DENIED, "beyond its owner", details={"scopes": list(beyond)}, counted=False)
    alive = await change.one(store.ALIVE, of_account=account.id, now=change.micros)
    if (alive or 0) >= _settings(core).api_keys_per_account:
        raise Refused(LIMIT, "as many as there may be", counted=False)
    made = await _add(core, change, account, wanted)
    await change.emit(
        CREATED_EVENT(account.id, key=made.key.shown, name=wanted.name, scopes=list(wanted.scopes), by=by)
    )
    return made


async def _rotate(core: Core, change: Change, account: Account, key_id: str, by: str) -> Made:
    """The account's row is locked, so of two rotations at once the second finds what the first has done."""
    row = await change.one(store.FIND, of_id=key_id, of_account=account.id)
    if row is None or (row.expires_at is not None and row.expires_at <= change.micros):
        raise Refused(NOT_FOUND, "no such key of this account is good", counted=False)
    if row.rotated_to is not None:
        raise Refused(ROTATED, "rotated before", counted=False)
    old = from_key_row(row)
    made = await _add(core, change, account, Wish(old.name, old.scopes, old.networks, old.expires_at))
    found = await change.run(
        store.ROTATE,
        of_id=key_id,
        of_account=account.id,
        successor=made.key.id,
        until=to_micros(change.now + _settings(core).api_key_overlap),
        now=change.micros,
    )
    if not found:
        raise Refused(ROTATED, "rotated meanwhile", counted=False)
    await change.emit(
        ROTATED_EVENT(account.id, key=old.shown, name=old.name, successor=made.key.shown, by=by)
    )
    return made


async def _revoke(change: Change, account_id: str, key_id: str, by: str) -> None:
    row = await change.one(store.REVOKE, of_id=key_id, of_account=account_id, now=change.micros)
    if row is None:
        raise Refused(NOT_FOUND, "no such key of this account is good", counted=False)
    await change.emit(REVOKED_EVENT(account_id, key=row.shown, name=row.name, by=by))


async def _add(core: Core, change: Change, account: Account, wanted: Wish) -> Made:
    settings = _settings(core)
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
    )
    return Made(from_key_row(row), text.text)


async def _service(change: Change, name: str) -> Account:
    found = await services.find(change, services.check_name(name))
    account = await accounts.lock(change, found) if found else None
    if account is None:
        raise Misuse(f"there is no service {name!r}; `ostiary api-keys create --service {name}` makes it")
    return account


def _settings(core: Core) -> ApiKeySettings:
    return core.settings.of(ApiKeySettings)


def _hit(core: Core, account_id: str) -> Hit:
    window = Window("api-keys", _settings(core).api_key_changes_per_account, by_network=False)
    return Hit(window, accounts.subject_of(account_id))
