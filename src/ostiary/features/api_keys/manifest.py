"""Owns what API keys plug into the engine."""

from ostiary.features.api_keys import flow
from ostiary.features.api_keys.api import router
from ostiary.http.access import SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes

RIB = Rib(
    name="api_keys",
    events=flow.EVENTS,
    takes_api_keys=True,
    json_routes=(JsonRoutes(router, SESSION),),
)
