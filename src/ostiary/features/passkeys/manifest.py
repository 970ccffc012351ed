"""Owns what passkeys plug into the engine."""

from collections.abc import Sequence

from ostiary.core.change import Change, Subscriber, on
from ostiary.core.mail.template import ORIGIN_EXAMPLE, MailTemplate
from ostiary.core.signin.disowned import DISOWNED
from ostiary.core.wiring import Parts
from ostiary.features.passkeys import flow, store
from ostiary.features.passkeys.api import public_router, router
from ostiary.features.passkeys.factor import PasskeyFactor
from ostiary.features.passkeys.pages import PAGE, PAGES
from ostiary.features.passkeys.settings import PasskeySettings
from ostiary.features.passkeys.way import PasskeyWay
from ostiary.http.access import PUBLIC, SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes
from ostiary.kernel.events import Event


def _factors(parts: Parts) -> Sequence[PasskeyFactor]:
    return (PasskeyFactor(parts),)


async def _demote(change: Change, event: Event) -> None:
    """An intruder may have added one: beside a proof by mail or a new password it is a second step, alone nothing."""
    await change.run(store.DEMOTE, of_account=event.account_id or "")


def _subscribers(parts: Parts) -> Sequence[Subscriber]:
    return (on(DISOWNED, _demote),)


RIB = Rib(
    name="passkeys",
    settings=(PasskeySettings,),
    events=flow.EVENTS,
    ways=(PasskeyWay.name,),
    mails=(
        MailTemplate(
            "passkey_cloned",
            __package__,
            "The counter of a passkey has not moved on: there may be a copy of it.",
            {"passkey": "01jzexample", "name": "Bitwarden", "refused": True, **ORIGIN_EXAMPLE},
        ),
    ),
    factors=_factors,
    subscribers=_subscribers,
    json_routes=(JsonRoutes(router, SESSION), JsonRoutes(public_router, PUBLIC)),
    hot_routes=PAGES,
    factor_pages=(PAGE,),
    kept=(store.KEPT,),
)
