"""Owns what an account's owner reads about it. Nothing here changes anything."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson

from ostiary.core.device import describe_device
from ostiary.core.wiring import Core
from ostiary.features.account import store
from ostiary.kernel.principal import Principal
from ostiary.kernel.world import from_micros

_SHOWN: Final = 10
# RFC 8176, as people say it. "mfa" says nothing that the others do not.
_METHODS: Final = {
    "pwd": "password",
    "otp": "code",
    "hwk": "passkey",
    "swk": "passkey",
    "email": "mail",
    "fed": "another account",
}


@dataclass(frozen=True, slots=True)
class SignIn:
    """One sign-in.

    Attributes:
        how: "password and code".
        device: "Firefox 131 on Mac"; may be empty.
        is_current: It began the session that asks.
    """

    at: datetime
    how: str
    device: str
    ip: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class PasswordState:
    """The owner's password, as far as it is shown."""

    set_at: datetime
    is_disabled: bool


def methods_in_words(amr: tuple[str, ...]) -> str:
    """Authentication methods, as people say them."""
    names = dict.fromkeys(_METHODS.get(method, method) for method in amr if method != "mfa")
    return " and ".join(names) or "unknown"


async def sign_ins(core: Core, who: Principal) -> list[SignIn]:
    """The latest sign-ins of whoever asks, newest first."""
    rows = await core.database.all(store.SIGN_INS, account_id=who.account_id, limit=_SHOWN)
    return [_sign_in(row, who) for row in rows]


def _sign_in(row: store.SignInRow, who: Principal) -> SignIn:
    data = orjson.loads(row.data)
    return SignIn(
        from_micros(row.at),
        methods_in_words(tuple(data["amr"])),
        describe_device(row.user_agent),
        row.ip,
        data["session_id"] == who.session_id,
    )


async def password(core: Core, who: Principal) -> PasswordState | None:
    """The password of whoever asks; None without one."""
    row = await core.database.one(store.PASSWORD, account_id=who.account_id)
    return None if row is None else PasswordState(from_micros(row.set_at), row.disabled_at is not None)
