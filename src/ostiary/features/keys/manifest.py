"""Owns what keys plug into the engine."""

from ostiary.features.keys.api import JWKS_DOC, jwks
from ostiary.features.keys.cli import commands
from ostiary.http.access import PUBLIC
from ostiary.http.rib import Rib
from ostiary.http.routing import Hot

RIB = Rib(
    name="keys",
    commands=commands,
    hot_routes=(Hot("/oauth2/jwks", ("GET",), jwks, PUBLIC, JWKS_DOC),),
)
