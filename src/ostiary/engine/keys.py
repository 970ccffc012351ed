"""Owns what the engine does about keys: opens them at start, and lets a worker follow their schedule."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from ostiary.core.change import Change
from ostiary.core.keys import rotation
from ostiary.core.keys.ring import PURPOSES
from ostiary.core.keys.root import RootSeal, parse_root
from ostiary.core.keys.settings import KeySettings
from ostiary.core.keys.signing import rotation as signing
from ostiary.core.keys.signing.keys import new_key, read_pem
from ostiary.core.keys.signing.store import RETIRED
from ostiary.core.keys.watch import KeyWatch
from ostiary.core.outbox.worker import Chore
from ostiary.core.wiring import Core
from ostiary.engine.settings import EngineSettings
from ostiary.kernel.errors import Misuse
from ostiary.kernel.origin import Origin
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.storage.database import Database

T = TypeVar("T")

_log: Final = logging.getLogger("ostiary.keys")
# It looks often and does little, so that a process that is never up for long, too, keeps the schedule.
_EVERY: Final = timedelta(hours=1)


def roots(engine: EngineSettings) -> tuple[RootSeal, RootSeal | None]:
    """The root secret in force, and the one before it.

    Raises:
        Misuse: one of them is missing or weak.
    """
    primary = RootSeal(parse_root(engine.root_secret or Secret("")))
    if not engine.root_secret_previous:
        return primary, None
    try:
        return primary, RootSeal(parse_root(engine.root_secret_previous))
    except Misuse as error:
        raise Misuse(str(error).replace("root_secret", "root_secret_previous", 1)) from None


async def open_keys(core: Core) -> KeyWatch:
    """Open the keyring, make the first keys of a new database, and take in what the operator gave.

    Returns:
        The watch that keeps this process up to date; it has looked once.

    Raises:
        Misuse: the root secret or the given signing key does not fit.
    """
    await core.ring.open(core.database, PURPOSES.values())
    settings = core.settings.of(KeySettings)
    if settings.signing_key is not None:
        await _take_in(core, settings.signing_key)
    wanted = settings.signing_algorithm
    if count := signing.missing(await signing.load(core.database), wanted):
        fresh = [await new_key(core.world, wanted) for _ in range(count)]
        await _change(core, lambda change: signing.establish(change, core.ring, wanted, list(fresh)))
    watch = KeyWatch(core.world, core.database, core.ring, core.signing)
    await watch.look()
    return watch


async def _take_in(core: Core, pem: Secret) -> None:
    key = read_pem(pem, core.settings.of(KeySettings).signing_algorithm)
    known = {row.kid: row.state for row in await signing.load(core.database)}
    if key.kid not in known:
        await _change(core, lambda change: signing.take_in(change, core.ring, key))
    elif known[key.kid] == RETIRED:
        _log.warning("signing_key %s was retired and is not used; give another one, or none", key.kid)


def chores(core: Core) -> list[Chore]:
    """What a worker does about keys."""
    settings = core.settings.of(KeySettings)
    every, overlap = settings.signing_rotation, settings.signing_overlap

    async def ring(database: Database, world: World) -> int:
        if not await rotation.is_due(database, settings.ring_rotation, world.micros()):
            return 0
        return await _change(
            core, lambda change: rotation.follow_schedule(change, core.ring, settings.ring_rotation)
        )

    async def signing_keys(database: Database, world: World) -> int:
        if not signing.is_due(await signing.load(database), every, overlap, world.micros()):
            return 0
        fresh = await new_key(world, settings.signing_algorithm)
        return await _change(
            core, lambda change: signing.follow_schedule(change, core.ring, fresh, every, overlap)
        )

    return [Chore("keys of the ring", _EVERY, ring), Chore("signing keys", _EVERY, signing_keys)]


async def _change(core: Core, work: Callable[[Change], Awaitable[T]]) -> T:
    async with core.runner.flow(Origin()) as flow:
        return await flow.change(work)
