"""Owns looking now and then whether there is a new file of places; every process does it for itself."""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from ostiary.core.flow import Runner
from ostiary.core.places.places import FILE_REFUSED, Places
from ostiary.kernel.origin import Origin
from ostiary.kernel.world import span_micros

_log: Final = logging.getLogger("ostiary.places")
_EVERY: Final = timedelta(minutes=1)


async def watch_places(places: Places, runner: Runner) -> None:
    """Look once a minute, until cancelled; returns at once when there is no file."""
    if not places.is_on:
        return
    world = runner.world
    due = world.micros() + span_micros(_EVERY)
    while True:
        await world.sleep(timedelta(microseconds=max(0, due - world.micros())))
        if world.micros() < due:
            continue
        due = world.micros() + span_micros(_EVERY)
        try:
            await _look(places, runner)
        except Exception:  # noqa: BLE001  # whatever it is, the next look may succeed
            _log.exception("cannot look whether there is a new file of places; it is tried again")


async def _look(places: Places, runner: Runner) -> None:
    if why := await asyncio.to_thread(places.renew):
        _log.error("the new geoip_file is not used, the one before stays: %s", why)
        async with runner.flow(Origin()) as flow:
            flow.note(FILE_REFUSED(why=why))
