"""Owns `Ostiary`, the object that a host application makes once, whatever its framework."""

import os
from collections.abc import Sequence
from typing import Any, Self

from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import from_environment, groups_of, load
from ostiary.http.rib import Rib
from ostiary.kernel.world import World


class Ostiary:
    """ostiary inside another application.

    It belongs to one event loop, starts with the host (or with the first request that needs it) and ends with it.

    Args:
        engine: An engine that exists, such as a test's; otherwise one is made from the settings.
        ribs: The features; all unless told.
        settings: Flat settings, see the settings reference: ``database="sqlite:///app.db"``, ``dev=True``.

    Raises:
        Misuse: the settings do not fit together; the message says what to set.
    """

    def __init__(self, engine: Engine | None = None, *, ribs: Sequence[Rib] = RIBS, **settings: Any) -> None:
        world = World()
        self.engine = engine or Engine(load(ribs, world, settings), ribs, world)

    @classmethod
    def from_env(cls, *, ribs: Sequence[Rib] = RIBS, **settings: Any) -> Self:
        """The same with settings from the environment (``OSTIARY_…``), overridden by those given here."""
        given: dict[str, Any] = from_environment(groups_of(ribs), os.environ)
        return cls(ribs=ribs, **(given | settings))

    async def start(self) -> None:
        """Migrate or check the schema, connect, and begin to send mails. Safe to call twice."""
        await self.engine.start()

    async def stop(self) -> None:
        """Finish deliveries and give every connection back."""
        await self.engine.stop()
