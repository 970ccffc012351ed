"""Owns what activity plugs into the engine."""

from ostiary.features.activity import flow
from ostiary.features.activity.api import router
from ostiary.features.activity.pages import PAGES, SECTION
from ostiary.http.access import SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes

RIB = Rib(
    name="activity",
    json_routes=(JsonRoutes(router, SESSION),),
    hot_routes=PAGES,
    account_sections=(SECTION,),
    kept=(flow.KEPT,),
)
