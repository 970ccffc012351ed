"""Owns the table of trusted devices. A row opens nothing: it has the hash of a secret that only the browser has."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.accounts.store import account
from ostiary.core.device import Device
from ostiary.core.kept.tables import of_table
from ostiary.storage.schema import blob, metadata, moment, number, text
from ostiary.storage.statement import Query, command

trusted_device: Final = sa.Table(
    "trusted_device",
    metadata,
    text("id", primary_key=True),
    text("account_id", sa.ForeignKey("account.id", ondelete="CASCADE")),
    blob("secret_hash"),
    number("security_epoch"),  # of the account, when it began to trust; at any other one it does not
    text("device"),
    text("browser"),
    text("ip"),
    moment("created_at"),
    moment("expires_at"),
    moment("last_used_at", nullable=True),
    text("session_id", nullable=True),  # the latest that it let in
    sa.Index("ix_trusted_device_account_id", "account_id"),
    sa.Index("ix_trusted_device_expires_at", "expires_at"),
)
KEPT: Final = of_table(
    "trusted_devices",
    trusted_device,
    ("id", "device", "browser", "ip", "created_at", "expires_at", "last_used_at"),
)


@dataclass(frozen=True, slots=True)
class TrustedRow:
    """A trusted device."""

    id: str
    secret_hash: bytes
    device: str
    browser: str
    ip: str
    created_at: int
    expires_at: int
    last_used_at: int | None


_other: Final = trusted_device.alias("other_trusted_device")
_of_account: Final = trusted_device.c.account_id == bindparam("of_account")  # part of every lookup (L19)
_is_it: Final = sa.and_(trusted_device.c.id == bindparam("of_id"), _of_account)
_counts: Final = sa.and_(
    _of_account,
    trusted_device.c.expires_at > bindparam("now"),
    trusted_device.c.security_epoch == account.c.security_epoch,
)
_with_account: Final = trusted_device.join(account, account.c.id == trusted_device.c.account_id)
_named: Final = (trusted_device.c.device, trusted_device.c.browser)

ADD: Final = command(
    "trusted_devices.add",
    sa.insert(trusted_device).values({one.name: bindparam(one.name) for one in trusted_device.columns}),
)
COUNTING: Final = Query(
    "trusted_devices.counting",
    sa.select(
        trusted_device.c.id,
        trusted_device.c.secret_hash,
        *_named,
        trusted_device.c.ip,
        trusted_device.c.created_at,
        trusted_device.c.expires_at,
        trusted_device.c.last_used_at,
    )
    .select_from(_with_account)
    .where(_counts)
    .order_by(trusted_device.c.created_at.desc(), trusted_device.c.id.desc()),
    TrustedRow,
)
USE: Final = command(
    "trusted_devices.use",
    sa.update(trusted_device)
    .where(_is_it)
    .values(last_used_at=bindparam("now"), session_id=bindparam("new_session_id")),
)
HAS_LET_IN: Final = Query(
    "trusted_devices.has_let_in",
    sa.select(trusted_device.c.id)
    .select_from(_with_account)
    .where(_counts, trusted_device.c.session_id == bindparam("session_id"))
    .limit(1),
    str,
)
# Whatever counts no more goes too, so that no account has more rows than it may trust devices.
MAKE_ROOM: Final = command(
    "trusted_devices.make_room",
    sa.delete(trusted_device).where(
        _of_account,
        trusted_device.c.id.not_in(
            sa.select(_other.c.id)
            .where(
                _other.c.account_id == bindparam("of_account"),
                _other.c.security_epoch == bindparam("epoch"),
                _other.c.expires_at > bindparam("now"),
            )
            .order_by(_other.c.created_at.desc(), _other.c.id.desc())
            .limit(bindparam("most", type_=sa.Integer))
        ),
    ),
)
END: Final = Query("trusted_devices.end", sa.delete(trusted_device).where(_is_it).returning(*_named), Device)
END_ALL: Final = Query(
    "trusted_devices.end_all", sa.delete(trusted_device).where(_of_account).returning(*_named), Device
)
SWEEP: Final = command(
    "trusted_devices.sweep",
    sa.delete(trusted_device).where(
        trusted_device.c.id.in_(
            sa.select(trusted_device.c.id)
            .where(trusted_device.c.expires_at <= bindparam("now"))
            .limit(bindparam("batch", type_=sa.Integer))
        )
    ),
    scan=True,
)
