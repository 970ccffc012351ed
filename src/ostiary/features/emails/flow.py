"""Owns the flows of an account's addresses: wish for one, prove it, make it the primary one, remove it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ostiary.core.accounts.accounts import EMAIL_NOT_VERIFIED, lock_active, owner_of
from ostiary.core.accounts.address import Address, parse_email
from ostiary.core.accounts.emails import emails
from ostiary.core.accounts.emails.emails import Email, email_id, emails_of
from ostiary.core.accounts.store import OwnerRow
from ostiary.core.change import Change
from ostiary.core.device import describe_device
from ostiary.core.once.once import Spent, Use, read_code
from ostiary.core.throttle.limits import Hit, Window
from ostiary.core.wiring import Core
from ostiary.features.emails import store
from ostiary.features.emails.settings import EmailSettings
from ostiary.features.emails.store import Wish
from ostiary.http.settings import HttpSettings
from ostiary.kernel.errors import NOT_FOUND, Refused, code
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import from_micros, span_micros
from ostiary.storage.database import Reads, Transaction

PROOF_INVALID: Final = code(
    "email_proof_invalid",
    400,
    "This link or code does not work (any more).",
    "It is wrong, expired, was used, a newer one was sent, or it was sent for another account. Ask for a new mail.",
)
ALREADY_YOURS: Final = code(
    "email_already_yours",
    409,
    "This address is yours already.",
    "It is one of the account's proven addresses.",
)
TOO_MANY: Final = code(
    "email_limit_reached",
    409,
    "The account has as many addresses as it may have.",
    "`emails_per_account` is reached, addresses that wait for their proof among them. Remove one first.",
)
NEEDED: Final = code(
    "email_needed",
    409,
    "This address is needed.",
    "It is the primary one, or the last that is proven. Make another one the primary one first.",
)
REQUESTED: Final = EventType(
    "email_requested",
    "Somebody who is signed in wants to add an address, or asked for another mail to prove it.",
    words="A mail was asked for, to add an e-mail address.",
)
PROOF_FAILED: Final = EventType(
    "email_proof_failed",
    "A wrong or spent link or code for another address.",
    Severity.NOTICE,
    ("by",),
    words="A wrong or spent {by} was given to add an e-mail address.",
)
EVENTS: Final = (REQUESTED, PROOF_FAILED)
CONFIRM_MAIL: Final = "confirm_email"
TAKEN_MAIL: Final = "email_taken"
PAGE: Final = "/account/emails/confirm"
# Of what is typed, on the pages as in the API.
LONGEST_EMAIL: Final = 320
LONGEST_TOKEN: Final = 200
LONGEST_CODE: Final = 20


@dataclass(frozen=True, slots=True)
class Listed:
    """An address as its owner sees it.

    Attributes:
        verified_at: None while it waits for its proof.
        expires_at: Until when it waits; None for one that is an account's already.
    """

    id: str
    email: str
    is_primary: bool
    verified_at: datetime | None
    created_at: datetime
    expires_at: datetime | None


def _link(settings: EmailSettings) -> Use:
    return Use("add_email_link", settings.new_email_link_lifetime)


def _code(settings: EmailSettings) -> Use:
    return Use("add_email_code", settings.new_email_code_lifetime)


async def mine(core: Core, who: Principal) -> list[Listed]:
    """The addresses of whoever asks, the primary one first; those that wait come last."""
    owned = await emails_of(core.database, who.account_id)
    normals = {email.address.normal for email in owned}
    return [
        *(
            Listed(one.id, one.address.shown, one.is_primary, one.verified_at, one.created_at, None)
            for one in owned
        ),
        *(
            Listed(
                email_id(who.account_id, wish.normal), wish.shown, False, None,
                from_micros(wish.created_at), from_micros(wish.expires_at),
            )
            for wish in await _wishes(core.database, who.account_id, core.world.micros())
            if wish.normal not in normals
        ),
    ]  # fmt: skip


async def add(core: Core, origin: Origin, who: Principal, typed: str) -> str:
    """Wish for another address; what happens then is the same whether or not somebody has it.

    Returns:
        Its id.

    Raises:
        Refused: `fresh_authentication_required`, `invalid_request`, `email_already_yours`, `email_limit_reached`,
            `too_many_attempts`.
    """
    await core.factors.require(core.database, who)
    address = parse_email(typed)

    async def work(change: Change) -> None:
        await lock_active(change, who.account_id)
        owned = await emails_of(change, who.account_id)
        wishes = await _wishes(change, who.account_id, change.micros)
        judge_wish(address, owned, wishes, core.settings.of(EmailSettings).emails_per_account)
        await _mail(core, change, who.account_id, address)

    async with core.runner.flow(origin) as flow:
        await flow.reserve(*_mail_hits(core, origin, who, address))
        await flow.change(work)
    return email_id(who.account_id, address.normal)


def judge_wish(address: Address, owned: list[Email], wishes: list[Wish], most: int) -> None:
    """Whether an account may wish for an address. Pure; it knows nothing of other accounts.

    Raises:
        Refused: `email_already_yours`, `email_limit_reached`.
    """
    if any(email.is_verified for email in owned if email.address.normal == address.normal):
        raise Refused(ALREADY_YOURS, "proven before", counted=False)
    normals = {email.address.normal for email in owned} | {wish.normal for wish in wishes}
    if len(normals | {address.normal}) > most:
        raise Refused(TOO_MANY, "emails_per_account", counted=False)


async def resend(core: Core, origin: Origin, who: Principal, wanted: str) -> None:
    """Send the mail for a waiting address again; the older link and code are worthless then.

    Raises:
        Refused: `not_found`, `too_many_attempts`.
    """
    async with core.runner.flow(origin) as flow:
        address = await _waiting(flow.reads, who.account_id, wanted, core.world.micros())
        await flow.reserve(*_mail_hits(core, origin, who, address))

        async def work(change: Change) -> None:
            await lock_active(change, who.account_id)
            await _mail(
                core, change, who.account_id, await _waiting(change, who.account_id, wanted, change.micros)
            )

        await flow.change(work)


def _mail_hits(core: Core, origin: Origin, who: Principal, address: Address) -> tuple[Hit, ...]:
    settings = core.settings.of(EmailSettings)
    by_account = Window("email-account", settings.new_email_mails_per_account, by_network=False)
    by_address = Window("email-address", settings.new_email_mails_per_address, by_network=False)
    return (
        Hit(Window("email", settings.new_email_mails_per_network), origin.network),
        Hit(by_account, who.account_id),
        Hit(by_address, address.normal),
    )


async def _mail(core: Core, change: Change, account_id: str, address: Address) -> None:
    """Keep the wish, and mail; one of the two mails is a decoy, so whose the address is does not show (L16)."""
    settings = core.settings.of(EmailSettings)
    owner = await owner_of(change, address)
    is_taken = _is_anothers(owner, account_id)
    await change.run(
        store.KEEP,
        account_id=account_id,
        normal=address.normal,
        shown=address.shown,
        created_at=change.micros,
        expires_at=change.micros + span_micros(settings.new_email_link_lifetime),
    )
    subject = email_id(account_id, address.normal)
    token = await core.once.issue(change, _link(settings), subject, live=not is_taken)
    digits = await core.once.issue_code(change, _code(settings), subject, live=not is_taken)
    target = settings.new_email_url or core.settings.of(HttpSettings).link(PAGE)
    asked = {
        "at": change.now,
        "ip": change.origin.ip,
        "device": describe_device(change.origin.user_agent),
    }
    context = {
        "link": f"{target}?token={token.reveal()}",
        "code": digits.reveal(),
        "link_lifetime": settings.new_email_link_lifetime,
        "code_lifetime": settings.new_email_code_lifetime,
        **asked,
    }
    await change.emit(REQUESTED(account_id))
    await core.post.send(
        change,
        CONFIRM_MAIL,
        address.shown,
        context,
        live=not is_taken,
        expires_at=change.now + settings.new_email_link_lifetime,
    )
    # In the spelling that was proven: some mail systems tell Anna@ from anna@.
    to, language = (owner.shown, owner.locale) if owner is not None and is_taken else (address.shown, "")
    await core.post.send(change, TAKEN_MAIL, to, {}, live=is_taken, language=language)


def _is_anothers(owner: OwnerRow | None, account_id: str) -> bool:
    return owner is not None and owner.verified_at is not None and owner.account_id != account_id


async def prove_by_link(core: Core, origin: Origin, who: Principal, token: Secret) -> None:
    """Prove an address by the link's token, signed in to the account that it was sent for.

    Raises:
        Refused: `email_proof_invalid`, `too_many_attempts`.
    """
    settings = core.settings.of(EmailSettings)

    async def work(change: Change) -> None:
        await _prove(change, who, await core.once.take(change, _link(settings), token), "link")

    async with core.runner.flow(origin) as flow:
        flow.concerns(who.account_id)
        await flow.reserve(*_failure_hits(settings, origin, who))
        await flow.change(work)


async def prove_by_code(core: Core, origin: Origin, who: Principal, wanted: str, typed: str) -> None:
    """Prove a waiting address by the code from its mail; spaces and dashes do not matter.

    Raises:
        Refused: `not_found`, `email_proof_invalid`, `too_many_attempts`.
    """
    settings = core.settings.of(EmailSettings)
    async with core.runner.flow(origin) as flow:
        flow.concerns(who.account_id)
        await _waiting(flow.reads, who.account_id, wanted, core.world.micros())
        digits = read_code(typed)
        if digits is None:
            raise _failed(who, "code")  # costs no try of the real code
        await flow.reserve(*_failure_hits(settings, origin, who))
        tried = await core.once.try_code(core.database, _code(settings), wanted, digits)
        if tried is None:
            raise _failed(who, "code")

        async def work(change: Change) -> None:
            await _prove(change, who, await core.once.take_code(change, _code(settings), tried), "code")

        await flow.change(work)


def _failure_hits(settings: EmailSettings, origin: Origin, who: Principal) -> tuple[Hit, ...]:
    by_account = Window(
        "email-proof-account", settings.new_email_failures_per_account, by_network=False, failures_only=True
    )
    by_network = Window("email-proof", settings.new_email_failures_per_network, failures_only=True)
    return Hit(by_network, origin.network), Hit(by_account, who.account_id)


def _failed(who: Principal, by: str) -> Refused:
    return Refused(PROOF_INVALID, f"wrong or spent {by}", events=(PROOF_FAILED(who.account_id, by=by),))


async def _prove(change: Change, who: Principal, spent: Spent | None, by: str) -> None:
    await lock_active(change, who.account_id)
    waiting = {
        email_id(who.account_id, wish.normal): wish
        for wish in await _wishes(change, who.account_id, change.micros)
    }
    # Sent for another account it is not among them, and the refusal below gives it back unspent.
    wish = waiting.get(spent.subject) if spent is not None else None
    if wish is None:
        raise _failed(who, by)
    await change.run(store.TAKE, of_account=who.account_id, of_normal=wish.normal, now=change.micros)
    if not await emails.prove(change, who.account_id, wish.address, by):
        raise _failed(who, by)


async def _owned(change: Change, account_id: str, wanted: str) -> tuple[list[Email], Email | None]:
    """The addresses of an account, held until the change ends, and the wanted one if it is among them."""
    await lock_active(change, account_id)
    owned = await emails_of(change, account_id)
    return owned, next((one for one in owned if one.id == wanted), None)


async def make_primary(core: Core, origin: Origin, who: Principal, wanted: str) -> None:
    """Make a proven address the primary one; nothing happens to the one that it is already.

    Raises:
        Refused: `fresh_authentication_required`, `not_found`, `email_not_verified`.
    """
    await core.factors.require(core.database, who)

    async def work(change: Change) -> None:
        owned, email = await _owned(change, who.account_id, wanted)
        if email is None:
            await _waiting(change, who.account_id, wanted, change.micros)
        if email is None or not email.is_verified:
            raise Refused(EMAIL_NOT_VERIFIED, "waits for its proof", counted=False)
        if not email.is_primary:
            before = next((one for one in owned if one.is_primary), None)
            await emails.make_primary(change, who.account_id, email, before)

    async with core.runner.flow(origin) as flow:
        await flow.change(work)


async def remove(core: Core, origin: Origin, who: Principal, wanted: str) -> None:
    """Remove an address, or forget one that waits.

    Raises:
        Refused: `fresh_authentication_required`, `not_found`, `email_needed`.
    """
    await core.factors.require(core.database, who)

    async def work(change: Change) -> None:
        owned, email = await _owned(change, who.account_id, wanted)
        if email is None:
            address = await _waiting(change, who.account_id, wanted, change.micros)
            await change.run(
                store.TAKE, of_account=who.account_id, of_normal=address.normal, now=change.micros
            )
            return
        judge_removal(email, owned)
        await emails.remove(change, who.account_id, email)

    async with core.runner.flow(origin) as flow:
        await flow.change(work)


def judge_removal(email: Email, owned: list[Email]) -> None:
    """Whether an address may go. Pure.

    Raises:
        Refused: `email_needed`.
    """
    others = [one for one in owned if one.is_verified and one.id != email.id]
    if email.is_primary or not others:
        raise Refused(NEEDED, "primary or last", counted=False)


async def _wishes(reads: Reads, account_id: str, now: int) -> list[Wish]:
    return await reads.all(store.LIVE, account_id=account_id, now=now)


async def _waiting(reads: Reads, account_id: str, wanted: str, now: int) -> Address:
    """The address of this account that waits under an id; an own one that was never proven waits, too."""
    found = [wish.address for wish in await _wishes(reads, account_id, now)]
    found += [one.address for one in await emails_of(reads, account_id) if not one.is_verified]
    for address in found:
        if email_id(account_id, address.normal) == wanted:
            return address
    raise Refused(NOT_FOUND, "no such address of this account", counted=False)


async def sweep(tx: Transaction, now: int, batch: int) -> int:
    """Forget wishes that have expired, at most `batch`."""
    return await tx.run(store.SWEEP, now=now, batch=batch)
