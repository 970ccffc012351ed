"""Owns what the view of all factors plugs into the engine."""

from ostiary.features.factors.api import router
from ostiary.features.factors.cli import commands
from ostiary.features.factors.pages import ACCOUNT_SECTION, PAGES
from ostiary.http.access import SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes

RIB = Rib(
    name="factors",
    json_routes=(JsonRoutes(router, SESSION),),
    hot_routes=PAGES,
    account_sections=(ACCOUNT_SECTION,),
    commands=commands,
)
