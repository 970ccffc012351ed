"""Owns the link with which somebody who forgot a password chooses a new one: asking for it, and using it.

Whom a link goes to is one pure question, `may_recover`, asked again before the link is used.
"""

from dataclasses import dataclass, replace
from typing import Final

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import EMAIL, EMAIL_VERIFIED, Account, Status
from ostiary.core.accounts.address import Address, parse_email
from ostiary.core.accounts.claims import claims
from ostiary.core.change import Change
from ostiary.core.device import describe_device
from ostiary.core.once.once import Spent, Use
from ostiary.core.signin.door import LOCKOUT
from ostiary.core.throttle.limits import Hit, Window
from ostiary.core.wiring import Core, Parts
from ostiary.features.password import history, store
from ostiary.features.password.events import REQUESTED, RESET, RESET_FAILED, RESET_INVALID
from ostiary.features.password.settings import RecoverySettings
from ostiary.features.password.store import OwnerRow
from ostiary.http.settings import HttpSettings
from ostiary.kernel.errors import NOT_FOUND, Refused
from ostiary.kernel.events import Event
from ostiary.kernel.origin import Origin
from ostiary.kernel.secret import Secret
from ostiary.storage.database import Reads

MAIL: Final = "reset_password"
PAGE: Final = "/recover/reset"
# Of what is typed, on the pages as in the API.
LONGEST_EMAIL: Final = 320
LONGEST_TOKEN: Final = 200


def may_recover(owner: OwnerRow | None, *, waits: bool) -> bool:
    """Whether a link may go to an address: its reader then decides over the account.

    Args:
        owner: Who has the address.
        waits: Whether registrations wait for its proof.

    Returns:
        For an active account by a proven address, or by any while none is proven: then the link is the first proof
        (L10). Never by an unproven one beside a proven one (NIST SP 800-63B-4 section 4.2.1.2): its owner may have
        mistyped it. An address that waits for its proof gets an account by the link.
    """
    if owner is None:
        return waits
    return owner.status == Status.ACTIVE and (owner.verified_at is not None or not owner.has_proven)


@dataclass(frozen=True, slots=True)
class Aim:
    """What a link is for.

    Attributes:
        account_id: Whose password; "" while nobody has the address and registrations wait for its proof.
        address: Where the mail went.
        epoch: The account's then; whatever raises it makes the link worthless.
    """

    account_id: str
    address: Address
    epoch: int

    @property
    def subject(self) -> str:
        """Of one subject only the newest link is good."""
        return self.account_id or f"address:{self.address.normal}"

    @property
    def data(self) -> dict[str, str]:
        """What is stored beside the link's hash."""
        return {
            "account": self.account_id,
            "normal": self.address.normal,
            "shown": self.address.shown,
            "epoch": str(self.epoch),
        }

    @classmethod
    def of(cls, spent: Spent) -> "Aim":
        """The aim of a link."""
        data = spent.data
        return cls(data["account"], Address(data["normal"], data["shown"]), int(data["epoch"]))

    def still_holds(self, owner: OwnerRow | None) -> bool:
        """Whether it may be used: the address is whose it was, and nothing has happened to the account since."""
        if not self.account_id:
            return owner is None
        return (
            owner is not None
            and (owner.account_id, owner.security_epoch) == (self.account_id, self.epoch)
            and may_recover(owner, waits=False)
        )


def _use(parts: Parts) -> Use:
    return Use("reset_password_link", parts.settings.of(RecoverySettings).reset_link_lifetime)


async def _owner_of(reads: Reads, address: Address) -> OwnerRow | None:
    return await reads.one(store.OWNER, kind=EMAIL, normal=address.normal)


def _aim(owner: OwnerRow | None, address: Address) -> Aim:
    """At an account's proven address in the spelling that was proven: some mail systems tell Anna@ from anna@."""
    if owner is None:
        return Aim("", address, 0)
    shown = address.shown if owner.verified_at is None else owner.shown
    return Aim(owner.account_id, Address(address.normal, shown), owner.security_epoch)


async def forgot(core: Core, origin: Origin, email: str) -> None:
    """Mail a link to choose a new password, if this address may have one; the caller learns nothing.

    The same statements run in every case (L16). Neither asking nor anything about it locks an account.

    Raises:
        Refused: `invalid_request` for what is no address; `too_many_attempts` of this network.
    """
    settings = core.settings.of(RecoverySettings)
    address = parse_email(email)
    by_address = Window("forgot-address", settings.reset_per_address, by_network=False)

    async def work(change: Change) -> None:
        owner = await _owner_of(change, address)
        waiting = await claims.live(change, address.normal, change.micros)
        # Counted together with the mail and not refused: that an address has had enough must not show.
        fits = await core.throttle.fits(change.tx, by_address, address.normal)
        may = may_recover(owner, waits=bool(waiting))
        # Never in the language of whoever asks: he may be a stranger.
        language = owner.locale if owner else waiting[0].locale if waiting else ""
        await _send(core, change, _aim(owner, address), language, is_live=may and fits, by="owner")
        outcome = "too_many" if not fits else "mailed" if may else "nobody"
        await change.emit(REQUESTED(owner.account_id if owner else None, outcome=outcome, by="owner"))

    async with core.runner.flow(origin) as flow:
        await flow.reserve(Hit(Window("forgot", settings.reset_per_network), origin.network))
        await flow.change(work)


async def send_for_operator(core: Core, email: str) -> str:
    """Mail the same link because an operator says so, who never learns it or chooses a password (ASVS 6.4.6).

    Returns:
        The account's id.

    Raises:
        Refused: `invalid_request`; `not_found` when no account may have a link at this address.
    """
    address = parse_email(email)

    async def work(change: Change) -> str:
        owner = await _owner_of(change, address)
        if owner is None or not may_recover(owner, waits=False):
            raise Refused(NOT_FOUND, "no active account has this address, or it is not proven")
        await _send(core, change, _aim(owner, address), owner.locale, is_live=True, by="operator")
        await change.emit(REQUESTED(owner.account_id, outcome="mailed", by="operator"))
        return owner.account_id

    async with core.runner.flow(Origin()) as flow:
        return await flow.change(work)


async def send_after_alarm(parts: Parts, change: Change, event: Event) -> None:
    """Reaction to `sign_in_disowned`: the link goes to whose reader said so, if it is still an address of the account.

    Not to the primary one: whoever got in may have made another one that.
    """
    address = event.carried.said_at
    owner = await _owner_of(change, address)
    if owner is not None and owner.account_id == event.account_id and may_recover(owner, waits=False):
        await _send(parts, change, _aim(owner, address), owner.locale, is_live=True, by="alarm")
        await change.emit(REQUESTED(owner.account_id, outcome="mailed", by="alarm"))


async def _send(parts: Parts, change: Change, aim: Aim, language: str, *, is_live: bool, by: str) -> None:
    settings = parts.settings.of(RecoverySettings)
    token = await parts.once.issue(change, _use(parts), aim.subject, aim.data, live=is_live)
    target = settings.reset_url or parts.settings.of(HttpSettings).link(PAGE)
    context = {
        "link": f"{target}?token={token.reveal()}",
        "link_lifetime": settings.reset_link_lifetime,
        "by": by,
        "at": change.now,
        "ip": change.origin.ip,
        "device": describe_device(change.origin.user_agent),
    }
    await parts.post.send(
        change,
        MAIL,
        aim.address.shown,
        context,
        live=is_live,
        language=language,
        expires_at=change.now + settings.reset_link_lifetime,
    )


async def look(core: Core, token: Secret) -> Aim | None:
    """What a link is for, if it can be used now; looking spends nothing."""
    found = await _look(core, core.database, token)
    return found[0] if found else None


async def _look(core: Core, reads: Reads, token: Secret) -> tuple[Aim, OwnerRow | None] | None:
    spent = await core.once.look(reads, _use(core), token)
    if spent is None:
        return None
    aim = Aim.of(spent)
    owner = await _owner_of(reads, aim.address)
    return (aim, owner) if aim.still_holds(owner) else None


async def reset(core: Core, origin: Origin, token: Secret, password: Secret) -> None:
    """Choose a new password by a link. It signs nobody in, and a second factor is asked for as before.

    A password that is refused does not spend the link.

    Raises:
        Refused: `password_reset_invalid`, `password_…` with all violations at once, `too_many_attempts`.
    """
    settings = core.settings.of(RecoverySettings)
    window = Window("reset", settings.reset_failures_per_network, failures_only=True)
    wrong = Hit(window, origin.network)
    async with core.runner.flow(origin) as flow:
        flow.refuse_full(wrong)
        found = await _look(core, flow.reads, token)
        if found is None:
            await flow.reserve(wrong)
            raise _invalid("wrong or spent link")
        aim, owner = found
        flow.concerns(aim.account_id or None)
        await flow.reserve(Hit(looks_at(settings), aim.subject))
        # What was set up before the first proof is nobody's to repeat.
        is_proven = owner is not None and owner.verified_at is not None
        count = settings.password_history if is_proven else 0
        await core.passwords.judge(
            password,
            (aim.address.normal, owner.name if owner else ""),
            note=flow.note,
            earlier=await history.last(flow.reads, aim.account_id, count),
        )
        new_hash = await core.passwords.hash(password)
        await flow.change(lambda change: _reset(core, change, token, new_hash))


def looks_at(settings: RecoverySettings) -> Window:
    """How often new passwords for one account are looked at, whatever comes of it."""
    return Window("new-password", settings.new_password_tries, by_network=False, counts_work=True)


async def _reset(core: Core, change: Change, token: Secret, new_hash: str) -> None:
    """Spend the link and set the password: one of any number of requests gets here first."""
    spent = await core.once.take(change, _use(core), token)
    if spent is None:
        raise _invalid("somebody else was first")
    aim = Aim.of(spent)
    account = await _lock(change, aim) if aim.account_id else None
    if not aim.still_holds(await _owner_of(change, aim.address)):
        raise _invalid("the account has changed")
    if account is None:
        account_id = await _open_account(core, change, aim.address, new_hash)
    else:
        account_id = account.id
        if await accounts.prove_email(change, account_id, aim.address):
            await accounts.void_credentials(change, account_id)
            await change.emit(EMAIL_VERIFIED(account_id, by="reset link"))
        await history.retire(change, account_id, core.settings.of(RecoverySettings).password_history)
        await accounts.set_password(change, account, new_hash)
    await core.throttle.clear(change.tx, Hit(LOCKOUT, accounts.subject_of(account_id)))
    await change.emit(RESET(account_id))


async def _lock(change: Change, aim: Aim) -> Account:
    try:
        return await accounts.lock_active(change, aim.account_id, aim.epoch)
    except Refused as refused:
        raise _invalid(refused.reason) from refused


async def _open_account(core: Core, change: Change, address: Address, new_hash: str) -> str:
    """The account that registrations have waited for, with nothing of theirs: anybody can have made them (L10)."""
    locale = core.post.language_of(change.origin)
    own = replace(claims.nobodys(core.world, address), password_hash=new_hash, locale=locale)
    redeemed = await accounts.redeem(change, own)
    if redeemed is None:
        raise _invalid("the address was proven meanwhile")
    await change.emit(EMAIL_VERIFIED(redeemed.account_id, by="reset link"))
    return redeemed.account_id


def _invalid(reason: str) -> Refused:
    return Refused(RESET_INVALID, reason, events=(RESET_FAILED(),))
