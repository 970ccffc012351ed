"""Owns what roles plug into the engine."""

from ostiary.features.roles import people_pages
from ostiary.features.roles.api import router
from ostiary.features.roles.cli import commands
from ostiary.features.roles.pages import PAGES, SECTION
from ostiary.http.access import SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes

RIB = Rib(
    name="roles",
    json_routes=(JsonRoutes(router, SESSION),),
    hot_routes=(*PAGES, *people_pages.PAGES),
    account_sections=(SECTION,),
    commands=commands,
)
