"""Owns changing the password of whoever is signed in."""

from dataclasses import dataclass, replace

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import INVALID_CREDENTIALS, Account
from ostiary.core.change import Change
from ostiary.core.sessions.sessions import Resolved, Session
from ostiary.core.signin.door import LOCKOUT
from ostiary.core.throttle.limits import Hit
from ostiary.core.tokens.settings import COOKIE, COOKIE_PAIR, TOKENS, Delivery
from ostiary.core.tokens.tokens import NewFamily, Pair
from ostiary.core.wiring import Core
from ostiary.features.password import history
from ostiary.features.password.events import CHANGE_FAILED, CHANGED
from ostiary.features.password.recovery import looks_at
from ostiary.features.password.settings import RecoverySettings
from ostiary.kernel.errors import SESSION_ENDED, Refused
from ostiary.kernel.origin import Origin
from ostiary.kernel.secret import Secret
from ostiary.storage.database import Reads


@dataclass(frozen=True, slots=True)
class Renewed:
    """What became of the session.

    Attributes:
        account: As it is after the change.
        session: Under another id; None when it ended with the others.
        token: For the cookie, and nowhere else.
        family: What its new tokens are made from, where cookies hold tokens.
        pair: Those, signed once all that is durable.
    """

    account: Account
    session: Session | None
    token: Secret
    family: NewFamily | None = None
    pair: Pair | None = None


async def can_prove(reads: Reads, account_id: str) -> bool:
    """Whether the account has a password that may be asked for; a disabled one may not."""
    row = await accounts.password_of(reads, account_id)
    return row is not None and row.disabled_at is None


async def change_password(
    core: Core,
    origin: Origin,
    current: Resolved,
    typed: Secret | None,
    password: Secret,
    delivery: Delivery = COOKIE,
) -> Renewed:
    """Change the password, or set the first one. Every other session ends, and this one gets another id.

    Args:
        current: The session that asks.
        delivery: How it is held. One that is held as tokens ends, too: an access token alone never gets another one.
        typed: The current password; without it the sign-in must be fresh. It must have shown a second factor, if there
            is one.
        password: The new one.

    Raises:
        Refused: `fresh_authentication_required`; `invalid_credentials` for a wrong current password, which counts like
            a failed sign-in (L09); `password_…` with all violations at once; `too_many_attempts`.
    """
    settings, account = core.settings.of(RecoverySettings), current.account
    hits = [Hit(looks_at(settings), account.id)]
    if typed is None:
        core.sessions.require_fresh(current.principal)
    else:
        hits += core.door.hits_of_a_guess(origin, account.id)
    async with core.runner.flow(origin) as flow:
        flow.concerns(account.id)
        await core.factors.require_level(flow.reads, current.principal)
        await flow.reserve(*hits)
        if typed is not None and not await _is_current(core, flow.reads, account.id, typed):
            raise Refused(INVALID_CREDENTIALS, "wrong current password", events=(CHANGE_FAILED(account.id),))
        await core.passwords.judge(
            password,
            (account.email or "", account.name),
            note=flow.note,
            earlier=await history.last(flow.reads, account.id, settings.password_history),
        )
        new_hash = await core.passwords.hash(password)
        is_typed = typed is not None
        renewed = await flow.change(
            lambda change: _change(core, change, current, new_hash, delivery, is_typed=is_typed)
        )
        if renewed.family is None:
            return renewed
        return replace(renewed, pair=await core.tokens.pair(renewed.family))


async def _is_current(core: Core, reads: Reads, account_id: str, typed: Secret) -> bool:
    row = await accounts.password_of(reads, account_id)
    try:
        verdict = await core.passwords.verify(typed, row.hash if row else None)
    except Refused:  # longer than any password may be
        return False
    return verdict.matches and row is not None and row.disabled_at is None


async def _change(
    core: Core, change: Change, current: Resolved, new_hash: str, delivery: Delivery, *, is_typed: bool
) -> Renewed:
    account_id, who = current.account.id, current.principal
    try:
        account = await accounts.lock_active(change, account_id, current.account.security_epoch)
    except Refused as refused:
        raise Refused(SESSION_ENDED, refused.reason, counted=False) from refused
    if is_typed and not await can_prove(change, account_id):
        raise Refused(INVALID_CREDENTIALS, "the password was disabled meanwhile")
    await history.retire(change, account_id, core.settings.of(RecoverySettings).password_history)
    account = await accounts.set_password(change, account, new_hash)
    await core.throttle.clear(change.tx, Hit(LOCKOUT, accounts.subject_of(account_id)))
    await change.emit(CHANGED(account_id, by="password" if is_typed else "fresh_sign_in"))
    session, token, family = None, Secret(""), None
    if delivery == TOKENS:
        is_live = await core.sessions.end(change, account_id, who.session_id or "", CHANGED.name)
    else:
        renewed = await core.sessions.renew(change, who)
        session, token = renewed or (None, token)
        is_live = session is not None
    if not is_live:
        raise Refused(SESSION_ENDED, "ended meanwhile", counted=False)
    await core.sessions.end_all(change, account_id, CHANGED.name, keep=session.id if session else "")
    if session is not None and delivery == COOKIE_PAIR:
        family = await core.tokens.begin(change, session, delivery)
    return Renewed(account, session, token, family)
