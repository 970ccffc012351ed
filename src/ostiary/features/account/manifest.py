"""Owns what the account's pages plug into the engine."""

from ostiary.features.account import pages, profile_pages
from ostiary.features.account.api import router
from ostiary.http.access import SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes

RIB = Rib(
    name="account",
    json_routes=(JsonRoutes(router, SESSION),),
    hot_routes=(*pages.PAGES, *profile_pages.PAGES),
    account_sections=(*pages.SECTIONS, profile_pages.SECTION),
)
