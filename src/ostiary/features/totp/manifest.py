"""Owns what TOTP plugs into the engine."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from ostiary.core.mail.settings import MailSettings
from ostiary.core.outbox.worker import Chore
from ostiary.core.wiring import Parts
from ostiary.features.totp import flow, store
from ostiary.features.totp.api import router
from ostiary.features.totp.factor import TotpFactor
from ostiary.features.totp.pages import PAGE, PAGES
from ostiary.features.totp.settings import TotpSettings
from ostiary.http.access import SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes
from ostiary.kernel.world import World
from ostiary.storage.database import Database

_BATCH: Final = 500
_SWEEP_EVERY: Final = timedelta(minutes=10)


def _factors(parts: Parts) -> Sequence[TotpFactor]:
    site_name = parts.settings.of(MailSettings).site_name
    return (TotpFactor(parts.world, parts.ring, site_name, parts.settings.of(TotpSettings).totp_drift),)


async def _sweep(database: Database, world: World) -> int:
    async with database.transaction() as tx:
        return await tx.run(store.SWEEP, now=world.micros(), batch=_BATCH)


def _chores(parts: Parts) -> Sequence[Chore]:
    return (Chore("unfinished authenticator apps", _SWEEP_EVERY, _sweep),)


RIB = Rib(
    name="totp",
    settings=(TotpSettings,),
    events=flow.EVENTS,
    factors=_factors,
    chores=_chores,
    json_routes=(JsonRoutes(router, SESSION),),
    hot_routes=PAGES,
    factor_pages=(PAGE,),
    kept=(store.KEPT,),
)
