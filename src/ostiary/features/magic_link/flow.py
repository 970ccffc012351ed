"""Owns asking for a magic link, and looking at one."""

import hashlib
from dataclasses import dataclass
from typing import Final

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import Status
from ostiary.core.accounts.address import parse_email
from ostiary.core.change import Change
from ostiary.core.device import describe_device
from ostiary.core.keys.ring import framed
from ostiary.core.throttle.limits import Hit, Window
from ostiary.core.tokens.settings import COOKIE, Delivery
from ostiary.core.wiring import Core
from ostiary.features.magic_link.settings import MagicLinkSettings
from ostiary.features.magic_link.way import Asked, code_use, link_use, seal
from ostiary.http.settings import HttpSettings
from ostiary.kernel.events import EventType
from ostiary.kernel.origin import Origin
from ostiary.kernel.secret import Secret

SENT: Final = EventType(
    "magic_link_requested",
    "Somebody asked for a mail with a link that signs in.",
    words="A link to sign in was asked for.",
)
EVENTS: Final = (SENT,)
MAIL: Final = "magic_link"
PAGE: Final = "/login/link"
# Of what is typed, on the pages as in the API.
LONGEST_EMAIL: Final = 320
LONGEST_TOKEN: Final = 200
LONGEST_CODE: Final = 20
LONGEST_ATTEMPT: Final = 8192
_CODES: Final = 1_000_000
_LONGEST_NEXT: Final = 800  # what still fits into the cookie


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants to sign in, and what shall happen then.

    Attributes:
        next: Where they go on, already judged; "" for home.
        delivery: How the session is to be handed out.
    """

    email: str
    is_remembered: bool = False
    next: str = ""
    delivery: Delivery = COOKIE


async def ask(core: Core, origin: Origin, wish: Wish) -> str:
    """Mail a link if the address belongs to an account; the caller learns nothing.

    Returns:
        The sealed request, for the cookie of the browser that asked, or for the program that did.

    Raises:
        Refused: `invalid_request`, `too_many_attempts` (counted by what was typed, known or not).
    """
    settings = core.settings.of(MagicLinkSettings)
    address = parse_email(wish.email)
    async with core.runner.flow(origin) as flow:
        await flow.reserve(
            Hit(Window("magic-link", settings.magic_link_per_network), origin.network),
            Hit(
                Window("magic-link-address", settings.magic_link_per_address, by_network=False),
                address.normal,
            ),
        )
        expires_at = core.world.now() + settings.magic_link_lifetime
        destination = wish.next if len(wish.next) <= _LONGEST_NEXT else ""
        asked = Asked(core.world.id(), address, expires_at, wish.is_remembered, destination, wish.delivery)
        await flow.change(lambda change: _issue(core, change, asked))
        return seal(core.ring, asked)


async def _issue(core: Core, change: Change, asked: Asked) -> None:
    """The same statements for everybody; for an unknown address nothing comes of them (L16)."""
    settings, address = core.settings.of(MagicLinkSettings), asked.address
    found = await accounts.find_at(change, address)
    owner = await accounts.owner_of(change, address)
    live = found is not None and found.status == Status.ACTIVE
    token = await core.once.issue(change, link_use(core), address.normal, {"asked": asked.id}, live=live)
    await core.once.issue_code(change, code_use(core), asked.id, live=live, digits=_code_of(token))
    await change.emit(SENT(found.account_id if found else None))
    target = settings.magic_link_url or core.settings.of(HttpSettings).link(PAGE)
    context = {
        "link": f"{target}?token={token.reveal()}",
        "link_lifetime": settings.magic_link_lifetime,
        "at": change.now,
        "ip": change.origin.ip,
        "device": describe_device(change.origin.user_agent),
    }
    await core.post.send(
        change,
        MAIL,
        # To the spelling that was proven: some mail systems tell Anna@ from anna@.
        owner.shown if owner else address.shown,
        context,
        live=live,
        language=owner.locale if owner else "",
        expires_at=change.now + settings.magic_link_lifetime,
    )


async def look(core: Core, token: Secret, asked: Asked | None) -> str | None:
    """Look at a link without spending it.

    Args:
        asked: What the browser that looks kept from asking, if it did.

    Returns:
        The code to type in the browser that asked; "" if this is that browser; None when the link does not work.
    """
    spent = await core.once.look(core.database, link_use(core), token)
    if spent is None:
        return None
    is_here = asked is not None and spent.data["asked"] == asked.id
    return "" if is_here else _code_of(token).reveal()


def _code_of(token: Secret) -> Secret:
    """The code that goes with a link. Derived, so that the page can show it and the database keeps only its MAC."""
    digest = hashlib.sha256(framed("magic link code", token.reveal_bytes())).digest()
    return Secret(f"{int.from_bytes(digest) % _CODES:06d}")
