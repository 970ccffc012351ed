"""Owns what operators do with keys."""

from ostiary.core.keys import rotation
from ostiary.core.keys.ring import PURPOSES
from ostiary.core.keys.rotation import RingKey
from ostiary.core.wiring import Core
from ostiary.kernel.errors import NOT_FOUND, Misuse, Refused
from ostiary.kernel.origin import Origin


async def listing(core: Core) -> list[RingKey]:
    """Every key, without what makes it secret."""
    return await rotation.listing(core.database, core.world.micros())


async def rotate(core: Core, purpose_name: str) -> str:
    """Make the next key of a purpose.

    Returns:
        Its id. It takes over in ten seconds, when every process knows it.

    Raises:
        Misuse: there is no such purpose.
    """
    wanted = PURPOSES.get(purpose_name)
    if wanted is None:
        raise Misuse(
            f"there are no keys for {purpose_name!r}; there are keys for {', '.join(sorted(PURPOSES))}"
        )
    async with core.runner.flow(Origin()) as flow:
        return await flow.change(lambda change: rotation.rotate(change, core.ring, wanted))


async def retire(core: Core, key_id: str) -> str:
    """End a key at once.

    Returns:
        What it was for.

    Raises:
        Misuse: what it made is still needed.
        Refused: `not_found`.
    """
    async with core.runner.flow(Origin()) as flow:
        wanted = await flow.change(lambda change: rotation.retire(change, core.ring, key_id))
    if wanted is None:
        raise Refused(NOT_FOUND, "there is no key with this id")
    return wanted.name


async def reseal(core: Core) -> int:
    """Let the root secret in force seal the keyring.

    Returns:
        How many keys were sealed anew.
    """
    async with core.runner.flow(Origin()) as flow:
        return await flow.change(lambda change: rotation.reseal(change, core.ring))
