"""Owns adding an authenticator app, in two steps, and removing one."""

from dataclasses import dataclass
from typing import Final

from ostiary.core.accounts.line import read_line
from ostiary.core.change import Change
from ostiary.core.mail.settings import MailSettings
from ostiary.core.sessions.sessions import Resolved
from ostiary.core.signin.factors import Added
from ostiary.core.throttle.limits import Hit, Window
from ostiary.core.tokens.settings import COOKIE, Delivery
from ostiary.core.wiring import Core
from ostiary.features.totp import store
from ostiary.features.totp.factor import FACTOR, METHOD, seal, unseal
from ostiary.features.totp.settings import TotpSettings
from ostiary.features.totp.store import TotpRow
from ostiary.kernel.errors import INVALID_REQUEST, NOT_FOUND, Refused, code
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import span_micros
from ostiary.protocols.totp import SECRET_BYTES, base32, matching_step, otpauth_uri, typed_code

TOTP_CODE_WRONG: Final = code(
    "totp_code_wrong",
    422,
    "The code is not right.",
    "The code does not come from the app that is being added, or is too old. Clock and time zone of the device must "
    "be right.",
)
TOTP_LIMIT: Final = code(
    "totp_limit",
    409,
    "There are too many authenticator apps.",
    "The account has `totp_per_account` of them; remove one first.",
)
FAILED: Final = EventType(
    "totp_enrolment_failed",
    "A wrong code while an authenticator app was added.",
    Severity.NOTICE,
    words="A wrong code was typed while an authenticator app was added.",
)
EVENTS: Final = (FAILED,)
# Of what is typed, on the pages as in the API.
LONGEST_NAME: Final = 60
LONGEST_CODE: Final = 64


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An app that waits for its first code.

    Attributes:
        secret: As people type it into an app.
        uri: As the app reads it from a QR code.
    """

    id: str
    name: str
    secret: Secret
    uri: Secret


async def begin(core: Core, origin: Origin, current: Resolved, name: str) -> Enrolment:
    """Make a secret that waits for its first code; an older one that waits is dropped.

    Args:
        name: What its owner calls the app; may be empty.

    Raises:
        Refused: `invalid_request` for a name that is no line, `fresh_authentication_required`, `totp_limit` or
            `too_many_attempts`.
    """
    who, settings = current.principal, core.settings.of(TotpSettings)
    by_account = Window("totp-enrolments", settings.totp_enrolments_per_account, by_network=False)
    totp_id, secret = core.world.id(), Secret(core.world.bytes(SECRET_BYTES))
    called = _read_name(name)

    async def work(change: Change) -> None:
        await core.factors.hold(change, who)
        if len(await change.all(store.ACTIVE, of_account=who.account_id)) >= settings.totp_per_account:
            raise Refused(TOTP_LIMIT, counted=False)
        await change.run(store.DROP_WAITING, of_account=who.account_id)
        await change.run(
            store.ADD,
            id=totp_id,
            account_id=who.account_id,
            name=called,
            secret=seal(core.ring, secret, who.account_id, totp_id),
            last_step=0,
            created_at=change.micros,
            expires_at=change.micros + span_micros(settings.totp_enrolment_lifetime),
            confirmed_at=None,
            last_used_at=None,
        )

    async with core.runner.flow(origin) as flow:
        flow.concerns(who.account_id)
        await core.factors.require(flow.reads, who)
        await flow.reserve(Hit(by_account, f"account:{who.account_id}"))
        await flow.change(work)
    return _enrolment(core, current, totp_id, called, secret)


async def waiting(core: Core, current: Resolved, totp_id: str) -> Enrolment:
    """The app that waits for its first code, to be shown again. Once it is confirmed, nobody sees its secret.

    Raises:
        Refused: `fresh_authentication_required` or `not_found`.
    """
    await core.factors.require(core.database, current.principal)
    row, secret = await _waiting(core, current.principal, totp_id)
    return _enrolment(core, current, row.id, row.name, secret)


async def confirm(
    core: Core, origin: Origin, who: Principal, totp_id: str, typed: str, delivery: Delivery = COOKIE
) -> Added:
    """Let an app count from now on: the code shows that it has the secret.

    Returns:
        Backup codes, if these are the first; and the session's new id, if it rose: one held by tokens does not.

    Raises:
        Refused: `fresh_authentication_required`, `not_found`, `totp_code_wrong`, `session_ended` or
            `too_many_attempts`.
    """
    settings = core.settings.of(TotpSettings)
    # Not the account's lockout: whoever holds a session and a secret is always right, and would clear that counter.
    by_account = Window(
        "totp-enrolment", settings.totp_failures_per_account, by_network=False, failures_only=True
    )
    async with core.runner.flow(origin) as flow:
        flow.concerns(who.account_id)
        await core.factors.require(flow.reads, who)
        row, secret = await _waiting(core, who, totp_id)
        await flow.reserve(
            Hit(core.factors.window, origin.network), Hit(by_account, f"account:{who.account_id}")
        )
        digits = typed_code(typed)
        step = matching_step(secret, digits, core.world.now(), settings.totp_drift) if digits else None
        if step is None:
            raise Refused(TOTP_CODE_WRONG, events=(FAILED(who.account_id),))
        prepared = await core.factors.prepare(flow.reads, who.account_id)

        async def work(change: Change) -> Added:
            await core.factors.hold(change, who)
            confirmed = await change.run(
                store.CONFIRM, of_id=row.id, of_account=who.account_id, step=step, now=change.micros
            )
            if not confirmed:
                raise Refused(NOT_FOUND, "confirmed, dropped or expired meanwhile", counted=False)
            return await core.factors.added(
                change, who, FACTOR, row.name, METHOD, prepared, rises=delivery == COOKIE
            )

        return await flow.change(work)


async def remove(core: Core, origin: Origin, who: Principal, totp_id: str) -> None:
    """Remove an app; its codes are worth nothing from now on.

    Raises:
        Refused: `fresh_authentication_required`, `not_found`, or `factor_needed`.
    """

    async def work(change: Change) -> None:
        await core.factors.hold(change, who)
        name = await change.one(store.REMOVE, of_id=totp_id, of_account=who.account_id)
        if name is None:
            raise Refused(NOT_FOUND, "no such app of this account")
        await core.factors.removed(change, who.account_id, FACTOR, name)

    async with core.runner.flow(origin) as flow:
        await flow.change(work)


def _read_name(typed: str) -> str:
    try:
        return read_line(typed, LONGEST_NAME)
    except ValueError as error:
        mistake = {"loc": ["name"], "message": str(error), "type": "name"}
        raise Refused(INVALID_REQUEST, "name", details={"errors": [mistake]}, counted=False) from None


async def _waiting(core: Core, who: Principal, totp_id: str) -> tuple[TotpRow, Secret]:
    row = await core.database.one(
        store.WAITING, of_id=totp_id, of_account=who.account_id, now=core.world.micros()
    )
    secret = unseal(core.ring, row) if row else None
    if row is None or secret is None:
        raise Refused(NOT_FOUND, "no such app of this account waits")
    return row, secret


def _enrolment(core: Core, current: Resolved, totp_id: str, name: str, secret: Secret) -> Enrolment:
    uri = otpauth_uri(secret, core.settings.of(MailSettings).site_name, current.account.label)
    return Enrolment(totp_id, name, base32(secret), uri)
