"""Owns issuing and using claim links."""

from typing import Final

from ostiary.core.access import access
from ostiary.core.accounts import accounts
from ostiary.core.change import Change
from ostiary.core.once.once import Use
from ostiary.core.throttle.limits import Hit, Window
from ostiary.core.wiring import Core
from ostiary.features.claim.settings import ClaimSettings
from ostiary.http.settings import HttpSettings
from ostiary.kernel.errors import Refused, code
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal
from ostiary.kernel.secret import Secret

CLAIM_INVALID: Final = code(
    "claim_invalid", 400, "This claim link does not work (any more).",
    "It is wrong, expired, was used, or a newer one was printed. `ostiary claim` prints a new one.",
)  # fmt: skip
CLAIM_ISSUED: Final = EventType(
    "claim_issued", "A link that makes an administrator was printed.", Severity.WARNING
)
CLAIM_FAILED: Final = EventType(
    "claim_failed",
    "A wrong or spent claim link.",
    Severity.WARNING,
    words="A link that makes an administrator did not work.",
)
EVENTS: Final = (CLAIM_ISSUED, CLAIM_FAILED)
PAGE: Final = "/claim"
LONGEST_TOKEN: Final = 200

_DEPLOYMENT: Final = "deployment"


def _use(core: Core) -> Use:
    return Use("claim_administrator", core.settings.of(ClaimSettings).claim_lifetime)


def _failures(core: Core) -> Window:
    limit = core.settings.of(ClaimSettings).claim_failures_per_network
    return Window("claim", limit, failures_only=True)


async def issue(core: Core) -> str:
    """A new claim link; older ones stop working."""

    async def work(change: Change) -> Secret:
        await change.emit(CLAIM_ISSUED())
        return await core.once.issue(change, _use(core), _DEPLOYMENT)

    async with core.runner.flow(Origin()) as flow:
        token = await flow.change(work)
    return f"{core.settings.of(HttpSettings).link(PAGE)}?token={token.reveal()}"


async def is_claimed(core: Core) -> bool:
    """Whether there is an administrator."""
    return await access.is_held(core.database, access.SUPERADMIN, core.world.micros())


async def claim(core: Core, origin: Origin, who: Principal, token: Secret) -> None:
    """Make whoever asks administrator; taking the link and granting the role is one transaction.

    Raises:
        Refused: `claim_invalid`, `network_refused`, `too_many_attempts`.
    """

    async def work(change: Change) -> None:
        account = await accounts.lock_active(change, who.account_id)
        book = (await core.authority.standing_of(change, account.id)).rules.roles
        core.networks.admit_role(origin, account.id, access.SUPERADMIN, book)
        if await core.once.take(change, _use(core), token) is None:
            raise Refused(CLAIM_INVALID, "wrong or spent", events=(CLAIM_FAILED(account.id),))
        await access.grant(change, account.id, access.SUPERADMIN, "claim")

    async with core.runner.flow(origin) as flow:
        flow.concerns(who.account_id)
        await flow.reserve(Hit(_failures(core), origin.network))
        await flow.change(work)


async def greeting(core: Core) -> list[str]:
    """What a start prints while there is no administrator."""
    if await is_claimed(core):
        return []
    minutes = core.settings.of(ClaimSettings).claim_lifetime.total_seconds() // 60
    return [f"  claim    nobody is administrator yet; within {minutes:.0f} minutes open {await issue(core)}"]
