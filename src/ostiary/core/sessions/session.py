"""Owns what a session is: as its owner sees it, and whom a credential for one speaks for."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from ostiary.core.accounts.accounts import Account
from ostiary.core.sessions.store import SessionRow
from ostiary.kernel.principal import Principal
from ostiary.kernel.world import from_micros


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its owner and the host see it.

    Attributes:
        idle_for: This long after `last_seen_at` it ends: the idle time and `last_seen_every`.
        expires_at: When it ends whatever happens.
        data: The host's own values, JSON of at most 4 KiB.
    """

    id: str
    account_id: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    idle_for: timedelta
    authenticated_at: datetime
    amr: tuple[str, ...]
    acr: str
    is_remembered: bool
    ip: str
    device: str
    browser: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """How long a session may live that is no browser's.

    Attributes:
        idle: Without a refresh for this long it ends.
        lifetime: It ends after this long, whatever happens.
    """

    idle: timedelta
    lifetime: timedelta


@dataclass(frozen=True, slots=True)
class Resolved:
    """Who a session cookie or an access token speaks for."""

    session: Session
    account: Account
    principal: Principal


def session_of(row: SessionRow) -> Session:
    """The session behind a row."""
    return Session(
        row.id,
        row.account_id,
        from_micros(row.created_at),
        from_micros(row.last_seen_at),
        from_micros(row.expires_at),
        timedelta(microseconds=row.idle_for),
        from_micros(row.authenticated_at),
        tuple(orjson.loads(row.amr)),
        row.acr,
        bool(row.is_remembered),
        row.ip,
        row.device,
        row.browser,
        orjson.loads(row.data),
    )
