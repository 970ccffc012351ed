"""Owns the flow of registering."""

from dataclasses import dataclass
from typing import Final

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import REGISTRATION, AddressClaim, Outcome
from ostiary.core.accounts.address import Address, parse_email
from ostiary.core.change import Change
from ostiary.core.throttle.throttle import Hit, Window
from ostiary.core.wiring import Core
from ostiary.features.registration.settings import RegistrationSettings
from ostiary.kernel.errors import Refused, code
from ostiary.kernel.origin import Origin
from ostiary.kernel.secret import Secret

REGISTRATION_CLOSED: Final = code(
    "registration_closed",
    403,
    "Registration is closed.",
    "`registration_open` is off: accounts are made by administrators.",
)
ALREADY_REGISTERED: Final = "already_registered"


@dataclass(frozen=True, slots=True)
class Registration:
    """What somebody registers with."""

    email: str
    password: Secret
    name: str = ""


async def register(core: Core, origin: Origin, wanted: Registration) -> None:
    """Register; the caller learns nothing about whether the address was known.

    Raises:
        Refused: `registration_closed`, `invalid_request` for an address that is none, `password_…` with all
            violations at once, `too_many_attempts`.
    """
    settings = core.settings.of(RegistrationSettings)
    if not settings.registration_open:
        raise Refused(REGISTRATION_CLOSED)
    address = parse_email(wanted.email)
    core.passwords.check(wanted.password, (address.normal, address.local, wanted.name))
    by_network = Hit(Window("register", settings.register_per_network), origin.network)
    by_address = Hit(
        Window("register-address", settings.register_per_address, by_network=False), address.normal
    )
    async with core.runner.flow(origin) as flow:
        await flow.reserve(by_network, by_address)
        password_hash = await core.passwords.hash(wanted.password)
        counted = tuple((held.key, held.stamp) for held in flow.held.hits if held.hit is by_network)
        await flow.change(lambda change: _write(core, change, address, wanted.name, password_hash, counted))


async def _write(
    core: Core,
    change: Change,
    address: Address,
    name: str,
    password_hash: str,
    counted: tuple[tuple[bytes, int], ...],
) -> None:
    account_id, outcome = await accounts.register(change, address, name, password_hash)
    is_live = outcome is not Outcome.KNOWN
    claim = AddressClaim(address, is_live, counted)
    await change.emit(REGISTRATION(account_id, outcome=outcome.value).carrying(claim))
    if not is_live:
        await core.post.send(change, ALREADY_REGISTERED, address.shown, {})
