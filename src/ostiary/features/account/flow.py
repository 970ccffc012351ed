"""Owns what an account's owner reads about it, and the change of name and profile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson

from ostiary.core.accounts import profile
from ostiary.core.accounts.accounts import lock_active
from ostiary.core.accounts.profile import Profile, ProfileField
from ostiary.core.accounts.settings import AccountSettings
from ostiary.core.change import Change
from ostiary.core.device import describe_device
from ostiary.core.sessions.sessions import NOT_AUTHENTICATED
from ostiary.core.signin.methods import methods_in_words
from ostiary.core.wiring import Core
from ostiary.features.account import store
from ostiary.kernel.errors import Refused
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal
from ostiary.kernel.world import from_micros

_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class SignIn:
    """One sign-in.

    Attributes:
        amr: Methods (RFC 8176), in the order in which they were shown.
        device: "Firefox 131 on Mac"; may be empty.
        is_current: It began the session that asks.
    """

    at: datetime
    amr: tuple[str, ...]
    device: str
    ip: str
    is_current: bool

    @property
    def how(self) -> str:
        """The methods in words: "password and code"."""
        return methods_in_words(self.amr)


@dataclass(frozen=True, slots=True)
class PasswordState:
    """The owner's password, as far as it is shown."""

    set_at: datetime
    is_disabled: bool


async def sign_ins(core: Core, who: Principal) -> list[SignIn]:
    """The latest sign-ins of whoever asks, newest first."""
    rows = await core.database.all(store.SIGN_INS, account_id=who.account_id, limit=_SHOWN)
    found = [(row, orjson.loads(row.data)) for row in rows]
    began = judge_began([(from_micros(row.at), data["session_id"]) for row, data in found], who)
    return [
        SignIn(
            from_micros(row.at), tuple(data["amr"]), describe_device(row.user_agent), row.ip, place == began
        )
        for place, (row, data) in enumerate(found)
    ]


def judge_began(latest: Sequence[tuple[datetime, str]], who: Principal) -> int | None:
    """Which of the latest sign-ins began the session that asks; None when it is not among them. Pure.

    Args:
        latest: Moment and session of each, newest first.
    """
    for place, (_, session_id) in enumerate(latest):
        if session_id == who.session_id:
            return place
    # The session has got another id since: it is the first that was noted after its proof, if the list goes that far.
    after = [place for place, (at, _) in enumerate(latest) if at >= who.authenticated_at]
    return after[-1] if after and len(after) < _SHOWN else None


async def password(core: Core, who: Principal) -> PasswordState | None:
    """The password of whoever asks; None without one."""
    row = await core.database.one(store.PASSWORD, account_id=who.account_id)
    return None if row is None else PasswordState(from_micros(row.set_at), row.disabled_at is not None)


def fields(core: Core) -> tuple[ProfileField, ...]:
    """The profile fields that this deployment declares."""
    return core.settings.of(AccountSettings).profile_fields


async def find_profile(core: Core, who: Principal) -> Profile:
    """The profile of whoever asks."""
    found = await profile.find(core.database, fields(core), who.account_id)
    if found is None:
        raise Refused(NOT_AUTHENTICATED, "the account was deleted meanwhile")
    return found


async def change_profile(
    core: Core, origin: Origin, who: Principal, name: str | None, values: Mapping[str, object]
) -> Profile:
    """Change name and profile fields; what is not mentioned stays.

    Args:
        name: None leaves it.
        values: By field; None empties one.

    Raises:
        Refused: `invalid_request`, with every mistake at once.
    """
    new_name, kept = _judge(fields(core), name, values)

    async def work(change: Change) -> Profile:
        account = await lock_active(change, who.account_id)
        return await profile.save(change, fields(core), account, kept, name=new_name, by="owner")

    async with core.runner.flow(origin) as flow:
        return await flow.change(work)


def _judge(
    declared: tuple[ProfileField, ...], name: str | None, values: Mapping[str, object]
) -> tuple[str | None, dict[str, profile.Value | None]]:
    refusals: list[Refused] = []
    new_name: str | None = None
    kept: dict[str, profile.Value | None] = {}
    try:
        new_name = None if name is None else profile.read_name(name)
    except Refused as refused:
        refusals.append(refused)
    try:
        kept = profile.judge(declared, values, by_owner=True)
    except Refused as refused:
        refusals.append(refused)
    if refusals:
        errors = [error for refused in refusals for error in refused.details["errors"]]
        raise Refused(refusals[0].code, "what was typed", details={"errors": errors}, counted=False)
    return new_name, kept
