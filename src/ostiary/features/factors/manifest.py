"""Owns what the view of all factors plugs into the engine."""

from ostiary.features.factors.api import router
from ostiary.http.access import SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes

RIB = Rib(name="factors", json_routes=(JsonRoutes(router, SESSION),))
