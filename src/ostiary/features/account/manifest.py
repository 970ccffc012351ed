"""Owns what the account's pages plug into the engine."""

from ostiary.features.account.pages import PAGES, SECTIONS
from ostiary.http.rib import Rib

RIB = Rib(name="account", hot_routes=PAGES, account_sections=SECTIONS)
