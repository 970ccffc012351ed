"""Owns the flow of registering."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import REGISTRATION
from ostiary.core.accounts.address import Address, parse_email
from ostiary.core.accounts.claims import claims
from ostiary.core.accounts.claims.claims import Enclosed, Waiting
from ostiary.core.accounts.profile import read_name
from ostiary.core.change import Change
from ostiary.core.signin.ways import Joinable, Made
from ostiary.core.throttle.limits import Hit, Window
from ostiary.core.wiring import Core
from ostiary.features.registration.settings import RegistrationSettings
from ostiary.kernel.errors import INVALID_REQUEST, Refused, code
from ostiary.kernel.origin import Origin
from ostiary.kernel.secret import Secret

REGISTRATION_CLOSED: Final = code(
    "registration_closed",
    403,
    "Registration is closed.",
    "`registration_open` is off: accounts are made by administrators.",
)
# Of what is typed, on the page as in the API.
LONGEST_EMAIL: Final = 320
LONGEST_NAME: Final = 200
ALREADY_REGISTERED: Final = "already_registered"


@dataclass(frozen=True, slots=True)
class Brought:
    """What was made while registering, in place of a password.

    Attributes:
        factor: Name of the factor that asked for it.
        browser: The cookie that it was asked with.
        answer: What came back.
    """

    factor: str
    browser: str
    answer: Secret


@dataclass(frozen=True, slots=True)
class Registration:
    """What somebody registers with."""

    email: str
    key: Secret | Brought
    name: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a claim will keep.

    Attributes:
        password_hash: "" for none.
    """

    address: Address
    name: str
    password_hash: str
    factor: str = ""
    made: Made | None = None


def invite(core: Core, browser: str, email: str, factor: str) -> Mapping[str, Any]:
    """What a browser needs to make something that signs in without a password. The same for every address.

    Raises:
        Refused: `registration_closed`, or `invalid_request` for an address or a factor that is none.
    """
    _demand_open(core)
    joinable = _joinable(core, factor)
    return joinable.invite(browser, parse_email(email))


async def register(core: Core, origin: Origin, wanted: Registration) -> str:
    """Register; the caller learns nothing about whether the address was known.

    Returns:
        The registration's id, for the browser that made it: it tells its own mail from a stranger's.

    Raises:
        Refused: `registration_closed`, `invalid_request` for an address or a name that is none, `password_…` with all
            violations at once, what a factor refuses that was made, `too_many_attempts`.
    """
    settings = _demand_open(core)
    address, name, refusals = _read(wanted)
    by_network = Hit(Window("register", settings.register_per_network), origin.network)
    hits = [by_network]
    if address is not None:
        hits.append(
            Hit(Window("register-address", settings.register_per_address, by_network=False), address.normal)
        )
    async with core.runner.flow(origin) as flow:
        await flow.reserve(*hits)
        key = wanted.key
        if isinstance(key, Brought):
            address = _accept(address, refusals)
            made = _joinable(core, key.factor).receive(key.browser, address, key.answer)
            kept = _Kept(address, name, "", key.factor, made)
        else:
            context = (address.normal, address.local) if address else (wanted.email,)
            try:
                await core.passwords.judge(key, (*context, wanted.name), note=flow.note)
            except Refused as refused:
                refusals.append(refused)
            address = _accept(address, refusals)
            kept = _Kept(address, name, await core.passwords.hash(key))
        counted = next(((held.key, held.stamp) for held in flow.held.hits if held.hit is by_network), None)
        return await flow.change(lambda change: _write(core, change, kept, counted))


def _demand_open(core: Core) -> RegistrationSettings:
    settings = core.settings.of(RegistrationSettings)
    if not settings.registration_open:
        raise Refused(REGISTRATION_CLOSED)
    return settings


def _joinable(core: Core, factor: str) -> Joinable:
    found = core.factors.joinable.get(factor)
    if found is None:
        mistake = {"loc": ["factor"], "message": "Nothing that one can register with.", "type": "factor"}
        raise Refused(INVALID_REQUEST, "factor", details={"errors": [mistake]}, counted=False)
    return found


def _read(wanted: Registration) -> tuple[Address | None, str, list[Refused]]:
    """Address and name, and what is wrong with them."""
    address: Address | None = None
    name = ""
    refusals: list[Refused] = []
    try:
        address = parse_email(wanted.email)
    except Refused as refused:
        refusals.append(refused)
    try:
        name = read_name(wanted.name)
    except Refused as refused:
        refusals.append(refused)
    return address, name, refusals


def _accept(address: Address | None, refusals: list[Refused]) -> Address:
    """The address, if nothing is wrong with the rest either; what is wrong is said all at once."""
    if address is None or refusals:
        details: dict[str, list[Any]] = {}
        for one in refusals:
            for member, mistakes in one.details.items():
                details.setdefault(member, []).extend(mistakes)
        raise Refused(refusals[0].code, "what was typed", details=details, counted=False)
    return address


async def _write(core: Core, change: Change, kept: _Kept, counted: tuple[bytes, int] | None) -> str:
    address, name, password_hash, enclosed = kept.address, kept.name, kept.password_hash, None
    if kept.made is not None:
        await kept.made.take(change)
        enclosed = Enclosed(kept.factor, kept.made.kept)
    owner = await accounts.owner_of(change, address)
    is_taken = owner is not None and owner.verified_at is not None
    account_id = owner.account_id if owner else None
    locale = core.post.language_of(change.origin)
    claim = await claims.add(change, address, name, password_hash, counted, locale, enclosed)
    # What has no password waits for its proof in any case.
    if enclosed is None and not core.door.demands_proven_address:
        account_id = await accounts.create_unless_known(change, address, name, password_hash, locale)
    waiting = Waiting(claim, is_live=not is_taken)
    await change.emit(REGISTRATION(account_id, outcome="taken" if is_taken else "claimed").carrying(waiting))
    # One of the two mails is a decoy, so both kinds of address cost the same (L16). The owner's goes to the spelling
    # that was proven: some mail systems tell Anna@ from anna@.
    to, language = (owner.shown, owner.locale) if owner is not None and is_taken else (address.shown, locale)
    await core.post.send(change, ALREADY_REGISTERED, to, {}, live=is_taken, language=language)
    return claim.id
