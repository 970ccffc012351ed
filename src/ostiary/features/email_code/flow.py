"""Owns switching codes by mail on, in two steps, and off."""

from typing import Final

from ostiary.core.change import Change
from ostiary.core.signin.factors import Added
from ostiary.core.throttle.limits import Hit, Window
from ostiary.core.tokens.settings import COOKIE, Delivery
from ostiary.core.wiring import Core
from ostiary.features.email_code import store
from ostiary.features.email_code.factor import FACTOR, METHOD, send, use
from ostiary.features.email_code.settings import EmailCodeSettings
from ostiary.kernel.errors import NOT_FOUND, Refused, code
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal
from ostiary.kernel.secret import Secret
from ostiary.protocols.totp import typed_code

EMAIL_CODE_WRONG: Final = code(
    "email_code_wrong",
    422,
    "The code is not right.",
    "It is not the one from the latest mail, is too old, or was tried too often. Ask for a new one.",
)
FAILED: Final = EventType(
    "email_code_enrolment_failed",
    "A wrong code while codes by mail were switched on.",
    Severity.NOTICE,
    words="A wrong code was typed while codes by mail were switched on.",
)
EVENTS: Final = (FAILED,)
LONGEST_CODE: Final = 64


def window(core: Core) -> Window:
    """How many codes an account is mailed."""
    limit = core.settings.of(EmailCodeSettings).email_codes_per_account
    return Window("email-codes", limit, by_network=False)


def _subject(who: Principal) -> str:
    return f"enrol:{who.account_id}"


def _demand_allowed(core: Core) -> None:
    if not core.settings.of(EmailCodeSettings).email_code:
        raise Refused(NOT_FOUND, "email_code is off", counted=False)


async def look(core: Core, who: Principal) -> None:
    """Whether it could be switched on now; for the pages that lead there.

    Raises:
        Refused: `not_found` while the deployment does not allow it, or `fresh_authentication_required`.
    """
    _demand_allowed(core)
    await core.factors.require(core.database, who)


async def begin(core: Core, origin: Origin, who: Principal) -> None:
    """Mail a code to the primary address; typing it shows that mails arrive.

    Raises:
        Refused: `not_found` while the deployment does not allow it, `fresh_authentication_required` or
            `too_many_attempts`.
    """
    _demand_allowed(core)

    async def work(change: Change) -> None:
        account = await core.factors.hold(change, who)
        await send(core, change, account, _subject(who))

    async with core.runner.flow(origin) as flow:
        flow.concerns(who.account_id)
        await core.factors.require(flow.reads, who)
        await flow.reserve(Hit(window(core), f"account:{who.account_id}"))
        await flow.change(work)


async def confirm(
    core: Core, origin: Origin, who: Principal, typed: str, delivery: Delivery = COOKIE
) -> Added:
    """Let signing in take a code by mail from now on.

    Returns:
        Backup codes, if this is the first factor; and the session's new id, if it rose.

    Raises:
        Refused: `not_found`, `fresh_authentication_required`, `email_code_wrong`, `session_ended` or
            `too_many_attempts`.
    """
    _demand_allowed(core)
    async with core.runner.flow(origin) as flow:
        flow.concerns(who.account_id)
        await core.factors.require(flow.reads, who)
        await flow.reserve(Hit(core.factors.window, origin.network))
        digits = typed_code(typed)
        tried = (
            await core.once.try_code(core.database, use(core), _subject(who), Secret(digits))
            if digits
            else None
        )
        if tried is None:
            raise Refused(EMAIL_CODE_WRONG, events=(FAILED(who.account_id),))
        prepared = await core.factors.prepare(flow.reads, who.account_id)

        async def work(change: Change) -> Added:
            await core.factors.hold(change, who)
            if await core.once.take_code(change, use(core), tried) is None:
                raise Refused(EMAIL_CODE_WRONG, "taken meanwhile", counted=False)
            if not await change.run(store.ADD, account_id=who.account_id, now=change.micros):
                raise Refused(NOT_FOUND, "it is on already", counted=False)
            return await core.factors.added(
                change, who, FACTOR, "", METHOD, prepared, rises=delivery == COOKIE
            )

        return await flow.change(work)


async def remove(core: Core, origin: Origin, who: Principal) -> None:
    """Switch it off.

    Raises:
        Refused: `fresh_authentication_required`, `not_found`, or `factor_needed`.
    """

    async def work(change: Change) -> None:
        await core.factors.hold(change, who)
        if not await change.run(store.REMOVE, of_account=who.account_id):
            raise Refused(NOT_FOUND, "it is not on", counted=False)
        await core.factors.removed(change, who.account_id, FACTOR, "")

    async with core.runner.flow(origin) as flow:
        await flow.change(work)
