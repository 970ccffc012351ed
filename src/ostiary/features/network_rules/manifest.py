"""Owns what the commands about network rules plug into the engine; the rules themselves are the core's."""

from ostiary.features.network_rules.cli import commands
from ostiary.http.rib import Rib

RIB = Rib(name="network_rules", commands=commands)
