"""Owns what claiming plugs into the engine."""

from ostiary.features.claim import flow
from ostiary.features.claim.api import router
from ostiary.features.claim.cli import commands
from ostiary.features.claim.pages import PAGES
from ostiary.features.claim.settings import ClaimSettings
from ostiary.http.access import SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes

RIB = Rib(
    name="claim",
    settings=(ClaimSettings,),
    events=flow.EVENTS,
    json_routes=(JsonRoutes(router, SESSION),),
    hot_routes=PAGES,
    greeting=flow.greeting,
    commands=commands,
)
