"""Owns `ApiKeys`: whom a presented key speaks for, judged at every request anew."""

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

import orjson

from ostiary.core.accounts.accounts import Account, from_row, why_barred
from ostiary.core.accounts.store import AccountRow
from ostiary.core.api_keys import store
from ostiary.core.api_keys.settings import ApiKeySettings
from ostiary.core.api_keys.store import KeyRow
from ostiary.core.change import Change
from ostiary.core.flow import Runner
from ostiary.core.networks.networks import Networks
from ostiary.core.signin.requirement import Requirement
from ostiary.core.signin.steps import TWO_FACTORS
from ostiary.core.throttle.limits import Hit, Window
from ostiary.kernel.errors import Refused, Unavailable, code
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal
from ostiary.kernel.secret import Secret
from ostiary.kernel.settings import Rate
from ostiary.kernel.world import from_micros, span_micros
from ostiary.protocols import api_key
from ostiary.storage.database import Transaction

MISSING: Final = code(
    "api_key_missing", 401, "An API key is needed.", "Send it as `X-API-Key`, or as Bearer token."
)
INVALID: Final = code(
    "api_key_invalid",
    401,
    "The API key is not valid.",
    "It is none of ours, was revoked, may not come from this address, or its owner may not use it: the answer is the "
    "same for all. Two keys that differ in one request are none, either.",
)
EXPIRED: Final = code(
    "api_key_expired", 401, "The API key has expired.", "Its end has come, or its rotation is over."
)
PERSON_REQUIRED: Final = code(
    "person_required",
    403,
    "Only people can do this.",
    "The API key belongs to a service, which is nobody's account.",
)
REFUSED: Final = EventType(
    "api_key_refused",
    "Somebody sent an API key that nobody has, or one with another secret.",
    Severity.NOTICE,
    ("key",),
)
MISPLACED: Final = EventType(
    "api_key_misplaced",
    "A genuine API key came from an address that it does not allow; told once an hour for each key.",
    Severity.WARNING,
    ("key", "name"),
    words="The API key “{name}” was used from an address that it does not allow.",
)
EVENTS: Final = (REFUSED, MISPLACED)
# How the person behind it was proven: nobody was. So no policy that wants two factors takes a key for them.
AMR: Final = ("api_key",)
ACR: Final = "0"

_TOUCH_EVERY: Final = span_micros(timedelta(seconds=60))
_MISPLACED: Final = Window("api_key_misplaced", Rate(1, timedelta(hours=1)), by_network=False)
_KEPT: Final = timedelta(days=30)
_NO_HASH: Final = bytes(32)
_log: Final = logging.getLogger("ostiary.api_keys")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its owner sees it.

    Attributes:
        shown: What may be shown of it: everything before the secret.
        scopes: Patterns that it reaches, such as ``notes:*``; without any it can do nothing but say whose it is.
        networks: From where it may be used; empty for everywhere.
        expires_at: None for never.
        last_used_at: To the minute.
        rotated_to: The key that has taken its place; this one goes on to work until `expires_at`.
    """

    id: str
    account_id: str
    name: str
    shown: str
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    rotated_to: str | None


@dataclass(frozen=True, slots=True)
class ResolvedKey:
    """Whom an API key speaks for."""

    key: ApiKey
    account: Account
    principal: Principal


def from_key_row(row: KeyRow) -> ApiKey:
    """The key behind a row."""
    return ApiKey(
        row.id,
        row.account_id,
        row.name,
        row.shown,
        tuple(orjson.loads(row.scopes)),
        tuple(orjson.loads(row.networks)),
        from_micros(row.created_at),
        None if row.expires_at is None else from_micros(row.expires_at),
        None if row.last_used_at is None else from_micros(row.last_used_at),
        row.rotated_to,
    )


def hash_of(text: Secret) -> bytes:
    """What is stored of a key.

    A plain hash does: nobody guesses 256 bits of chance, so there is nothing that a slow hash or a pepper would guard.
    It covers the whole text, so that a secret never works under another id or prefix.
    """
    return hashlib.sha256(b"api_key:" + text.reveal_bytes()).digest()


def is_within(ip: str, networks: tuple[str, ...]) -> bool:
    """Whether a client address lies in one of some networks; an unknown address lies in none.

    Args:
        ip: Canonical, so that an IPv4-mapped address is the IPv4 address.
        networks: As `read_network` writes them; empty for everywhere.
    """
    if not networks:
        return True
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    return any(address in network for network in _parsed(networks))


@lru_cache(maxsize=1024)
def _parsed(networks: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(network) for network in networks)


def judge(row: KeyRow, account: Account, epoch: int, now: int) -> Refused | None:
    """Why a genuine key is refused, wherever it comes from; None when it is not. Pure.

    Args:
        epoch: The account's when the key was made.
        now: UTC microseconds.
    """
    if row.revoked_at is not None:
        return Refused(INVALID, "revoked", counted=False)
    if reason := why_barred(account, epoch, may_be_service=True):
        return Refused(INVALID, reason, counted=False)
    if account.deletion_due_at is not None:
        return Refused(INVALID, "the account is to be deleted", counted=False)
    if row.expires_at is not None and now >= row.expires_at:
        return Refused(EXPIRED, "expired, or rotated and past its overlap", counted=False)
    return None


class ApiKeys:
    """Finds out whom keys speak for.

    Args:
        runner: Runs flows.
        requirement: Of whom a second factor is required.
        settings: The limit of wrong ones.
        networks: From where their owners may be spoken for.
        is_on: Whether keys are taken at all; without the rib nobody could see or revoke one.
    """

    def __init__(
        self,
        runner: Runner,
        requirement: Requirement,
        settings: ApiKeySettings,
        networks: Networks,
        *,
        is_on: bool,
    ) -> None:
        self._runner = runner
        self._world = runner.world
        self._database = runner.database
        self._requirement = requirement
        self._networks = networks
        self._window = Window("api_key", settings.api_key_failures_per_network)
        self.is_on: Final = is_on

    async def resolve(self, origin: Origin, words: str) -> ResolvedKey:
        """Whom a key speaks for, checking secret, end, network, the account and its epoch in one query.

        What is malformed costs no query, and wrong keys are counted: a network that has sent too many of them is
        refused from memory.

        Raises:
            Refused: `api_key_invalid`, `api_key_expired`, `network_refused` or `too_many_attempts`.
        """
        presented = api_key.read(words)
        if presented is None:
            raise Refused(INVALID, "malformed, or its checksum is wrong", counted=False)
        hit = Hit(self._window, origin.network)
        self._runner.throttle.refuse_full(origin, [hit])
        columns = await self._database.one(store.RESOLVE, id=presented.id)
        width = store.KEY_WIDTH
        # The same work for an id that nobody has.
        is_genuine = Secret(hash_of(presented.text)).matches(columns[width] if columns else _NO_HASH)
        if columns is None or not is_genuine:
            async with self._runner.flow(origin) as flow:
                await flow.reserve(hit)
                raise Refused(
                    INVALID, "unknown, or its secret is wrong", events=(REFUSED(key=presented.shown),)
                )
        row, account = KeyRow(*columns[:width]), from_row(AccountRow(*columns[width + 2 :]))
        now = self._world.micros()
        refused = judge(row, account, columns[width + 1], now)
        if refused is not None:
            raise refused
        if not is_within(origin.ip, tuple(orjson.loads(row.networks))):
            await self._note_misplaced(origin, hit, row)
            raise Refused(INVALID, "not from this address", counted=False)
        if await self._lacks_factor(row, account):
            raise Refused(INVALID, "made without the second factor that is required by now", counted=False)
        if self._networks.is_on:
            async with self._runner.flow(origin) as flow:
                await self._networks.admit(flow.reads, origin, account.id)
        if now - (row.last_used_at or 0) >= _TOUCH_EVERY:
            await self._touch(row, now)
        return _resolved(from_key_row(row), account)

    async def _note_misplaced(self, origin: Origin, hit: Hit, row: KeyRow) -> None:
        """Let the owner find it among what has happened, once an hour, however often it is tried."""

        async def work(change: Change) -> None:
            if await self._runner.throttle.fits(change.tx, _MISPLACED, row.id):
                await change.emit(MISPLACED(row.account_id, key=row.shown, name=row.name))

        async with self._runner.flow(origin) as flow:
            await flow.reserve(hit)
            await flow.change(work)

    async def _lacks_factor(self, row: KeyRow, account: Account) -> bool:
        """Whether the key was made by less than its owner must show by now (S-A16); asked only where that can be."""
        if not self._requirement.is_on or account.is_service or row.acr == TWO_FACTORS:
            return False
        needed_from = await self._requirement.needed_from(self._database, account.id)
        return needed_from is not None and self._world.now() >= needed_from

    async def _touch(self, row: KeyRow, now: int) -> None:
        try:
            async with self._database.transaction() as tx:
                await tx.run(store.TOUCH, of_id=row.id, was_used_at=row.last_used_at or 0, now=now)
        except Unavailable as error:
            # A database that can be read but not written (a standby) still answers who this is.
            _log.warning("last-used was not written: %s", error)

    async def sweep(self, tx: Transaction, batch: int) -> int:
        """Remove keys that expired or were revoked more than 30 days ago, at most `batch` of each."""
        before = self._world.micros() - span_micros(_KEPT)
        expired = await tx.run(store.SWEEP_EXPIRED, before=before, batch=batch)
        return expired + await tx.run(store.SWEEP_REVOKED, before=before, batch=batch)


def _resolved(key: ApiKey, account: Account) -> ResolvedKey:
    # Nobody proved anything when this request was made: the moment is the key's own, and what asks for a fresh proof
    # asks for a session first.
    who = Principal(account.id, None, AMR, ACR, key.created_at, key.id, key.scopes)
    return ResolvedKey(key, account, who)
