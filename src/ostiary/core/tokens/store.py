"""Owns the table of refresh families, and the one statement that rotates them."""

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.access.store import role_grant
from ostiary.core.accounts.store import account, identifier
from ostiary.core.sessions.store import session
from ostiary.storage.schema import blob, metadata, moment, number, text
from ostiary.storage.statement import Query, command

# One row per family, whatever happens to it: a fork cannot even be written down.
refresh_family: Final = sa.Table(
    "refresh_family",
    metadata,
    text("id", primary_key=True),
    text("session_id", sa.ForeignKey("session.id", ondelete="CASCADE"), index=True),
    text("client_id"),
    text("delivery"),
    text("scope"),
    number("generation"),
    blob("current_hash"),
    blob("previous_hash", nullable=True),
    moment("rotated_at"),
    moment("created_at"),
    moment("expires_at"),
    moment("ends_at"),
)
# Written into the statement: an argument here would be bound at execution time only.
_SEPARATOR: Final[Any] = sa.literal_column("'\n'")


@dataclass(frozen=True, slots=True)
class Rotated:
    """A family that was just rotated."""

    session_id: str
    client_id: str
    scope: str


@dataclass(frozen=True, slots=True)
class Touched:
    """The session of a family that was just rotated.

    Attributes:
        roles: One per line.
        roles_until: When the first of them ends that ends at all.
    """

    account_id: str
    amr: str
    acr: str
    authenticated_at: int
    ends_at: int
    idle_for: int
    version: int
    roles: str
    roles_until: int | None


@dataclass(frozen=True, slots=True)
class GrantRow:
    """What a token is made from, as stored."""

    family: Rotated
    session: Touched


@dataclass(frozen=True, slots=True)
class FamilyRow:
    """A family with everything that judging a token needs; `grant` is what a replay is answered with."""

    grant: GrantRow
    current_hash: bytes
    previous_hash: bytes | None
    rotated_at: int
    expires_at: int
    session_ended_at: int | None
    session_times_out_at: int
    status: str
    epoch: int
    session_epoch: int
    verified_at: int | None


def _family(*columns: Any) -> FamilyRow:
    return FamilyRow(GrantRow(Rotated(*columns[10:13]), Touched(*columns[13:])), *columns[:10])


_now: Final = bindparam("now", type_=sa.BigInteger)


def _roles(of_account: Any) -> sa.ScalarSelect[Any]:
    names = sa.func.aggregate_strings(role_grant.c.role, _SEPARATOR)
    return (
        sa.select(sa.func.coalesce(names, ""))
        .where(role_grant.c.account_id == of_account, role_grant.c.scope == "")
        .where(sa.or_(role_grant.c.until.is_(None), role_grant.c.until > _now))
        .scalar_subquery()
    )


def _roles_until(of_account: Any) -> sa.ScalarSelect[Any]:
    return (
        sa.select(sa.func.min(role_grant.c.until))
        .where(role_grant.c.account_id == of_account, role_grant.c.scope == "", role_grant.c.until > _now)
        .scalar_subquery()
    )


_version: Final = sa.func.coalesce(account.c.authorization_version, 0)
_proven: Final = (
    sa.exists()
    .where(
        identifier.c.account_id == account.c.id, identifier.c.kind == "email", identifier.c.is_primary == 1
    )
    .where(identifier.c.verified_at.is_not(None))
    .correlate(account)
)
# The gates of every refresh (L04): the session lives, its account is active, nothing raised its epoch, and the address
# is proven where that is demanded.
_gates: Final = (
    sa.exists()
    .where(
        session.c.id == refresh_family.c.session_id,
        session.c.ended_at.is_(None),
        session.c.expires_at > _now,
        session.c.last_seen_at + session.c.idle_for > _now,
        account.c.id == session.c.account_id,
        account.c.status == "active",
        account.c.security_epoch == session.c.security_epoch,
        sa.or_(bindparam("needs_proof", type_=sa.Integer) == 0, _proven),
    )
    .correlate(refresh_family)
)
# Whose token it is stands in the lookup, not in an `if` after it (L17).
_whose: Final = (
    refresh_family.c.id == bindparam("of_id"),
    refresh_family.c.client_id == bindparam("of_client"),
    refresh_family.c.delivery == bindparam("of_delivery"),
)

_other: Final = refresh_family.alias("other")

ADD: Final = command(
    "tokens.add",
    sa.insert(refresh_family).values({c.name: bindparam(c.name) for c in refresh_family.columns}),
)
# Rotation and gates are one guarded statement: of any number of requests with the same token one rotates (L05, L32).
# Of one session, so that whoever exchanges codes in a loop keeps no more than this (they are deleted, hence invalid).
MAKE_ROOM: Final = command(
    "tokens.make_room",
    sa.delete(refresh_family).where(
        refresh_family.c.session_id == bindparam("of_session"),
        refresh_family.c.id.not_in(
            sa.select(_other.c.id)
            .where(_other.c.session_id == bindparam("of_session"), _other.c.expires_at > _now)
            .order_by(_other.c.id.desc())
            .limit(bindparam("most", type_=sa.Integer))
        ),
    ),
)
ROTATE: Final = Query(
    "tokens.rotate",
    sa.update(refresh_family)
    .where(
        *_whose,
        refresh_family.c.generation == bindparam("of_generation"),
        refresh_family.c.current_hash == bindparam("presented"),
        refresh_family.c.expires_at > _now,
        _gates,
    )
    .values(
        generation=refresh_family.c.generation + 1,
        previous_hash=refresh_family.c.current_hash,
        current_hash=bindparam("successor"),
        rotated_at=_now,
        expires_at=sa.case(
            (refresh_family.c.ends_at < bindparam("slides_to"), refresh_family.c.ends_at),
            else_=bindparam("slides_to", type_=sa.BigInteger),
        ),
    )
    .returning(refresh_family.c.session_id, refresh_family.c.client_id, refresh_family.c.scope),
    Rotated,
)
# A refresh is the touch of its session, and a last guard: whoever ends the session meanwhile is waited for. The outer
# column is spelled out, since SQLAlchemy leaves the names of tables out of everything that SQLite returns.
_holder: Final[Any] = sa.literal_column("session.account_id")
TOUCH: Final = Query(
    "tokens.touch",
    sa.update(session)
    .where(session.c.id == bindparam("of_session"), session.c.ended_at.is_(None))
    .values(last_seen_at=_now)
    .returning(
        session.c.account_id,
        session.c.amr,
        session.c.acr,
        session.c.authenticated_at,
        session.c.expires_at,
        session.c.idle_for,
        sa.select(_version).where(account.c.id == _holder).scalar_subquery(),
        _roles(_holder),
        _roles_until(_holder),
    ),
    Touched,
)
_address: Final = identifier.alias("primary_address")
STATE: Final = Query(
    "tokens.state",
    sa.select(
        refresh_family.c.current_hash,
        refresh_family.c.previous_hash,
        refresh_family.c.rotated_at,
        refresh_family.c.expires_at,
        session.c.ended_at,
        sa.case(
            (session.c.expires_at < session.c.last_seen_at + session.c.idle_for, session.c.expires_at),
            else_=session.c.last_seen_at + session.c.idle_for,
        ),
        account.c.status,
        account.c.security_epoch,
        session.c.security_epoch,
        _address.c.verified_at,
        refresh_family.c.session_id,
        refresh_family.c.client_id,
        refresh_family.c.scope,
        session.c.account_id,
        session.c.amr,
        session.c.acr,
        session.c.authenticated_at,
        session.c.expires_at,
        session.c.idle_for,
        _version,
        _roles(account.c.id),
        _roles_until(account.c.id),
    )
    .select_from(
        refresh_family.join(session, session.c.id == refresh_family.c.session_id)
        .join(account, account.c.id == session.c.account_id)
        .outerjoin(
            _address,
            sa.and_(
                _address.c.account_id == account.c.id, _address.c.kind == "email", _address.c.is_primary == 1
            ),
        )
    )
    .where(*_whose),
    _family,
)


@dataclass(frozen=True, slots=True)
class Rights:
    """What an account may do: its roles, one per line, how often that was changed, and when the first role ends."""

    version: int
    roles: str
    roles_until: int | None


RIGHTS: Final = Query(
    "tokens.rights",
    sa.select(_version, _roles(account.c.id), _roles_until(account.c.id)).where(
        account.c.id == bindparam("account_id")
    ),
    Rights,
)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a family is, and what tells its present token from those before."""

    account_id: str
    session_id: str
    current_hash: bytes
    expires_at: int


OWNER: Final = Query(
    "tokens.owner",
    sa.select(session.c.account_id, session.c.id, refresh_family.c.current_hash, refresh_family.c.expires_at)
    .join(refresh_family, refresh_family.c.session_id == session.c.id)
    .where(refresh_family.c.id == bindparam("of_id")),
    Owner,
)
