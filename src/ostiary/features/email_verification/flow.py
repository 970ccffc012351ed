"""Owns issuing, resending and redeeming proofs of an address."""

import math
from datetime import timedelta
from typing import Final

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import EMAIL_VERIFIED, AddressClaim
from ostiary.core.accounts.address import Address, find_email, parse_email
from ostiary.core.change import Change
from ostiary.core.once.once import Spent, Use
from ostiary.core.throttle.throttle import Hit, Window
from ostiary.core.wiring import Core, Parts
from ostiary.features.email_verification.settings import VerificationSettings
from ostiary.http.settings import HttpSettings
from ostiary.kernel.errors import Refused, code
from ostiary.kernel.events import Event, EventType, Severity
from ostiary.kernel.origin import Origin
from ostiary.kernel.secret import Secret

VERIFICATION_INVALID: Final = code(
    "verification_invalid",
    400,
    "This link or code does not work (any more).",
    "It is wrong, expired, was used, or a newer one was sent. Ask for a new mail with `/auth/email/resend`.",
)
RESENT: Final = EventType("verification_resent", "Another verification mail was asked for.")
FAILED: Final = EventType(
    "verification_failed", "A wrong or spent verification link or code.", Severity.NOTICE, ("by",)
)
EVENTS: Final = (RESENT, FAILED)
MAIL: Final = "verify_email"
PAGE: Final = "/verify"
_DIGITS: Final = 6


def _link(settings: VerificationSettings) -> Use:
    return Use("verify_email_link", settings.verify_link_lifetime)


def _code(settings: VerificationSettings) -> Use:
    return Use("verify_email_code", settings.verify_code_lifetime)


async def issue(parts: Parts, change: Change, account_id: str, claim: AddressClaim) -> None:
    """Make a link and a code for an address; for a claim that is not live, ones that nobody can use."""
    settings = parts.settings.of(VerificationSettings)
    data = {"normal": claim.address.normal, "shown": claim.address.shown}
    if claim.counted:
        key, stamp = claim.counted[0]
        data |= {"counted": key.decode(), "stamp": str(stamp)}
    token = await parts.once.issue(change, _link(settings), account_id, data, live=claim.is_live)
    digits = await parts.once.issue_code(change, _code(settings), account_id, data, live=claim.is_live)
    target = settings.verify_url or parts.settings.of(HttpSettings).base_url.rstrip("/") + PAGE
    context = {
        "link": f"{target}?token={token.reveal()}",
        "code": digits.reveal(),
        "link_hours": math.ceil(settings.verify_link_lifetime / timedelta(hours=1)),
        "code_minutes": math.ceil(settings.verify_code_lifetime / timedelta(minutes=1)),
    }
    await parts.post.send(change, MAIL, claim.address.shown, context, live=claim.is_live)


async def resend(core: Core, origin: Origin, email: str) -> None:
    """Send a new link and code if this address waits for one; the caller learns nothing.

    Raises:
        Refused: `invalid_request`, `too_many_attempts` (counted by what was typed, known or not).
    """
    settings = core.settings.of(VerificationSettings)
    address = parse_email(email)
    async with core.runner.flow(origin) as flow:
        await flow.reserve(
            Hit(Window("resend", settings.resend_per_network), origin.network),
            Hit(Window("resend-address", settings.resend_per_address, by_network=False), address.normal),
        )
        await flow.change(lambda change: _resend(core, change, address))


async def _resend(core: Core, change: Change, address: Address) -> None:
    owner = await accounts.owner_of(change, address)
    is_live = owner is not None and not owner[1]
    await change.emit(RESENT(owner[0] if owner else None))
    await issue(core, change, owner[0] if owner else "", AddressClaim(address, is_live))


async def verify_link(core: Core, origin: Origin, token: Secret) -> None:
    """Redeem a link.

    Raises:
        Refused: `verification_invalid`, `too_many_attempts`.
    """
    settings = core.settings.of(VerificationSettings)
    async with core.runner.flow(origin) as flow:
        await flow.reserve(_failures(settings, origin))

        async def take(change: Change) -> None:
            await _prove(core, change, await core.once.take(change, _link(settings), token), "link")

        await flow.change(take)


async def verify_code(core: Core, origin: Origin, email: str, typed: str) -> None:
    """Redeem a code for an address; spaces and dashes do not matter.

    Raises:
        Refused: `verification_invalid`, `too_many_attempts`.
    """
    settings = core.settings.of(VerificationSettings)
    digits = typed.replace(" ", "").replace("-", "")
    address = find_email(email)
    async with core.runner.flow(origin) as flow:
        await flow.reserve(_failures(settings, origin))
        if address is None or len(digits) != _DIGITS or not (digits.isascii() and digits.isdigit()):
            raise _failed("code", None)  # costs no try of the real code
        owner = await accounts.owner_of(flow.reads, address)
        account_id = owner[0] if owner else ""
        tried = await core.once.try_code(core.database, _code(settings), account_id, Secret(digits))
        if tried is None:
            raise _failed("code", account_id or None)

        async def take(change: Change) -> None:
            spent = await core.once.take_code(change, _code(settings), tried)
            if spent is not None and spent.data["normal"] != address.normal:
                raise _failed("code", account_id)  # the code proves the address it was sent to, no other
            await _prove(core, change, spent, "code")

        await flow.change(take)


def _failures(settings: VerificationSettings, origin: Origin) -> Hit:
    window = Window("verify", settings.verify_failures_per_network, failures_only=True)
    return Hit(window, origin.network)


def _failed(by: str, account_id: str | None) -> Refused:
    return Refused(VERIFICATION_INVALID, f"wrong or spent {by}", events=(FAILED(account_id, by=by),))


async def _prove(core: Core, change: Change, spent: Spent | None, by: str) -> None:
    if spent is None:
        raise _failed(by, None)
    settings = core.settings.of(VerificationSettings)
    account = await accounts.lock_active(change, spent.subject)
    address = Address(spent.data["normal"], spent.data["shown"])
    if not await accounts.verify_email(change, account.id, address):
        raise _failed(by, account.id)
    await core.once.drop(change, _link(settings), account.id)
    await core.once.drop(change, _code(settings), account.id)
    if "counted" in spent.data:
        await core.throttle.give_back(change.tx, spent.data["counted"].encode(), int(spent.data["stamp"]))
    await change.emit(EMAIL_VERIFIED(account.id, by=by))


async def on_registration(parts: Parts, change: Change, event: Event) -> None:
    """Reaction to a registration: the mail that proves the address."""
    await issue(parts, change, event.account_id or "", event.carried)
