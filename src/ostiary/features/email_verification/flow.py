"""Owns issuing, resending and redeeming proofs of an address."""

from dataclasses import dataclass
from typing import Final

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import EMAIL_VERIFIED
from ostiary.core.accounts.address import Address, find_email, parse_email
from ostiary.core.accounts.claims import claims
from ostiary.core.accounts.claims.claims import Claim, Waiting
from ostiary.core.change import Change
from ostiary.core.once.once import Spent, Use, read_code
from ostiary.core.throttle.limits import Hit, Window
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
RESENT: Final = EventType(
    "verification_resent",
    "Another verification mail was asked for.",
    words="Another mail to confirm your address was asked for.",
)
FAILED: Final = EventType(
    "verification_failed", "A wrong or spent verification link or code.", Severity.NOTICE, ("by",)
)
EVENTS: Final = (RESENT, FAILED)
MAIL: Final = "verify_email"
PAGE: Final = "/verify"
# Of what is typed, on the pages as in the API.
LONGEST_EMAIL: Final = 320
LONGEST_TOKEN: Final = 200
LONGEST_CODE: Final = 20


@dataclass(frozen=True, slots=True)
class Mine:
    """The registration that a browser made, as its sealed note says.

    Attributes:
        claim_id: Its id.
        email: The address as typed.
    """

    claim_id: str
    email: str

    def is_another(self, claim: Claim) -> bool:
        """Whether a claim is on the same address but not this one: somebody else's, or an older one of one's own."""
        address = find_email(self.email)
        return address is not None and claim.normal == address.normal and claim.id != self.claim_id


def _link(settings: VerificationSettings) -> Use:
    return Use("verify_email_link", settings.verify_link_lifetime)


def _code(settings: VerificationSettings) -> Use:
    return Use("verify_email_code", settings.verify_code_lifetime)


async def issue(parts: Parts, change: Change, waiting: Waiting) -> None:
    """Make a link and a code that redeem a claim, and mail them; for a claim that is not live the mail is a decoy."""
    settings = parts.settings.of(VerificationSettings)
    claim = waiting.claim
    token = await parts.once.issue(change, _link(settings), claim.id)
    digits = await parts.once.issue_code(change, _code(settings), claim.id)
    target = settings.verify_url or parts.settings.of(HttpSettings).link(PAGE)
    context = {
        "link": f"{target}?token={token.reveal()}",
        "code": digits.reveal(),
        "link_lifetime": settings.verify_link_lifetime,
        "code_lifetime": settings.verify_code_lifetime,
        "at": claim.created_at,
        "ip": claim.ip,
        "device": claim.device,
        "has_key": bool(claim.enclosed),
    }
    await parts.post.send(
        change,
        MAIL,
        claim.shown,
        context,
        live=waiting.is_live,
        language=claim.locale,
        expires_at=change.now + settings.verify_link_lifetime,
    )


async def resend(core: Core, origin: Origin, email: str, mine: Mine | None = None) -> None:
    """Send a new link and code if this address waits for one; the caller learns nothing.

    Args:
        mine: The registration that this browser made, if it is known: then only that one's mail is sent again.

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
        await flow.change(lambda change: _resend(core, change, address, mine))


async def _resend(core: Core, change: Change, address: Address, mine: Mine | None) -> None:
    """A new mail for every registration that waits: we cannot know which is the owner's, and each mail says its own."""
    owner = await accounts.owner_of(change, address)
    is_proven = owner is not None and owner.verified_at is not None
    waiting = await claims.live(change, address.normal, change.micros)
    if not waiting and owner is not None and not is_proven:
        # An account that may be used before its address is proven, whose own claim has expired.
        own = Address(address.normal, owner.shown)
        waiting = [await claims.add(change, own, "", owner.password_hash or "", None, owner.locale)]
    waiting = [claim for claim in waiting if mine is None or not mine.is_another(claim)]
    await change.emit(RESENT(owner.account_id if owner else None))
    for number, claim in enumerate(_full(core, address, waiting)):
        await issue(core, change, Waiting(claim, is_live=number < len(waiting) and not is_proven))


def _full(core: Core, address: Address, waiting: list[Claim]) -> list[Claim]:
    """As many claims as can wait, some of them nobody's: how many there are must not show in what they cost (L16)."""
    missing = claims.MOST_LIVE - len(waiting)
    return waiting + [claims.nobodys(core.world, address) for _ in range(missing)]


async def verify_link(core: Core, origin: Origin, token: Secret, mine: Mine | None = None) -> None:
    """Redeem a link.

    Args:
        mine: The registration that this browser made, if it is known: a link of another one, which somebody else made
            for the same address, is then refused.

    Raises:
        Refused: `verification_invalid`, `too_many_attempts`.
    """
    settings = core.settings.of(VerificationSettings)
    async with core.runner.flow(origin) as flow:
        await flow.reserve(_failures(settings, origin))

        async def take(change: Change) -> None:
            await _prove(core, change, await core.once.take(change, _link(settings), token), "link", mine)

        await flow.change(take)


async def verify_code(core: Core, origin: Origin, email: str, typed: str, mine: Mine | None = None) -> None:
    """Redeem a code for an address; spaces and dashes do not matter.

    Args:
        mine: As for a link.

    Raises:
        Refused: `verification_invalid`, `too_many_attempts`.
    """
    settings = core.settings.of(VerificationSettings)
    digits = read_code(typed)
    address = find_email(email)
    if address is None or digits is None:
        raise _failed("code")  # costs no try of the real code
    # A code has five tries, but mails can be asked for again: what counts in the end is the address (S-A13).
    by_address = Window(
        "verify-address", settings.verify_failures_per_address, by_network=False, failures_only=True
    )
    async with core.runner.flow(origin) as flow:
        await flow.reserve(_failures(settings, origin), Hit(by_address, address.normal))
        # Each registration has a code of its own; a stranger's later one must not spoil the owner's.
        found = await claims.live(flow.reads, address.normal, core.world.micros())
        waiting = [claim for claim in found if mine is None or not mine.is_another(claim)]
        tried = await core.once.try_code(
            core.database,
            _code(settings),
            [claim.id for claim in _full(core, address, waiting)],
            digits,
        )
        if tried is None:
            raise _failed("code")

        async def take(change: Change) -> None:
            await _prove(
                core, change, await core.once.take_code(change, _code(settings), tried), "code", mine
            )

        await flow.change(take)


def _failures(settings: VerificationSettings, origin: Origin) -> Hit:
    window = Window("verify", settings.verify_failures_per_network, failures_only=True)
    return Hit(window, origin.network)


def _failed(by: str, account_id: str | None = None) -> Refused:
    return Refused(VERIFICATION_INVALID, f"wrong or spent {by}", events=(FAILED(account_id, by=by),))


async def _prove(core: Core, change: Change, spent: Spent | None, by: str, mine: Mine | None) -> None:
    claim = await claims.take(change, spent.subject) if spent is not None else None
    if claim is None or (mine is not None and mine.is_another(claim)):
        raise _failed(by)
    redeemed = await accounts.redeem(change, claim)
    if redeemed is None:
        raise _failed(by)
    if claim.counted_key:
        await core.throttle.give_back(change.tx, claim.counted_key.encode(), claim.counted_stamp)
    await change.emit(EMAIL_VERIFIED(redeemed.account_id, by=by).carrying(redeemed.enclosed))


async def on_registration(parts: Parts, change: Change, event: Event) -> None:
    """Reaction to a registration: the mail that proves the address."""
    await issue(parts, change, event.carried)
