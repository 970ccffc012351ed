"""Owns what my-sessions plugs into the engine."""

from ostiary.features.my_sessions.api import router
from ostiary.features.my_sessions.pages import PAGES, SECTION
from ostiary.http.access import SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes

RIB = Rib(
    name="my_sessions",
    json_routes=(JsonRoutes(router, SESSION),),
    hot_routes=PAGES,
    account_sections=(SECTION,),
)
