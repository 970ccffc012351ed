"""Owns what trusted devices plug into the engine."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from ostiary.core.change import Subscriber
from ostiary.core.mail.template import ORIGIN_EXAMPLE, MailTemplate
from ostiary.core.outbox.worker import Chore
from ostiary.core.wiring import Parts
from ostiary.features.trusted_devices import flow, store
from ostiary.features.trusted_devices.api import router
from ostiary.features.trusted_devices.keeping import TRUSTED, Devices
from ostiary.features.trusted_devices.pages import PAGES, SECTION
from ostiary.features.trusted_devices.settings import TrustedDeviceSettings
from ostiary.http.access import SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes
from ostiary.kernel.world import World
from ostiary.storage.database import Database

_BATCH: Final = 500
_SWEEP_EVERY: Final = timedelta(minutes=10)


def _trust(parts: Parts) -> Devices | None:
    settings = parts.settings.of(TrustedDeviceSettings)
    return None if settings.trusted_devices == "off" else Devices(parts.world, settings)


def _subscribers(parts: Parts) -> Sequence[Subscriber]:
    return (Subscriber(lambda event_type: event_type.ends_trust or event_type.ends_sessions, flow.react),)


async def _sweep(database: Database, world: World) -> int:
    async with database.transaction() as tx:
        return await tx.run(store.SWEEP, now=world.micros(), batch=_BATCH)


def _chores(parts: Parts) -> Sequence[Chore]:
    return (Chore("devices that are trusted no more", _SWEEP_EVERY, _sweep),)


RIB = Rib(
    name="trusted_devices",
    settings=(TrustedDeviceSettings,),
    events=flow.EVENTS,
    mails=(
        MailTemplate(
            TRUSTED.name,
            __package__,
            "To every address: somebody who signed in will not be asked for the second step in that browser.",
            {"until": datetime(2026, 12, 21, 13, 30, tzinfo=UTC), **ORIGIN_EXAMPLE},
        ),
    ),
    subscribers=_subscribers,
    trust=_trust,
    chores=_chores,
    kept=(store.KEPT,),
    json_routes=(JsonRoutes(router, SESSION),),
    hot_routes=PAGES,
    account_sections=(SECTION,),
)
