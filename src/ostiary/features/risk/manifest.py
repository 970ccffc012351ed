"""Owns what risk plugs into the engine."""

from collections.abc import Sequence

from ostiary.core.change import Subscriber, on
from ostiary.core.signin.disowned import DISOWNED
from ostiary.core.wiring import Parts
from ostiary.features.risk.cli import commands
from ostiary.features.risk.settings import RiskSettings
from ostiary.features.risk.watch import forget, watch
from ostiary.http.rib import Rib


def _subscribers(parts: Parts) -> Sequence[Subscriber]:
    return (on(DISOWNED, forget),)


RIB = Rib(
    name="risk",
    settings=(RiskSettings,),
    subscribers=_subscribers,
    watch=watch,
    commands=commands,
)
