"""Owns what keys plug into the engine."""

from ostiary.features.keys.cli import commands
from ostiary.http.rib import Rib

RIB = Rib(name="keys", commands=commands)
