"""Owns what operators do with keys."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from ostiary.core.change import Change
from ostiary.core.keys import rotation
from ostiary.core.keys.ring import PURPOSES
from ostiary.core.keys.settings import KeySettings
from ostiary.core.keys.signing import rotation as signing
from ostiary.core.keys.signing.keys import new_key, read_pem
from ostiary.core.keys.signing.rotation import SIGNING
from ostiary.core.wiring import Core
from ostiary.kernel.errors import NOT_FOUND, Misuse, Refused
from ostiary.kernel.origin import Origin
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import from_micros
from ostiary.protocols.jose.keys import SigningKey

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key as operators see it, without what makes it secret.

    Attributes:
        state: "next", "current", "previous" or, for a signing key, "retired".
        since: From when on it is, or will be, what it is.
        algorithm: Of a signing key; None on the ring.
    """

    id: str
    purpose: str
    state: str
    since: datetime
    created_at: datetime
    algorithm: str | None = None


async def listing(core: Core) -> list[KeyView]:
    """Every key: those that sign tokens, then the ring."""
    found = [
        KeyView(
            row.kid, SIGNING, row.state, from_micros(row.since), from_micros(row.created_at), row.algorithm
        )
        for row in await signing.load(core.database)
    ]
    ring = await rotation.listing(core.database, core.world.micros())
    return found + [KeyView(key.id, key.purpose, key.state, key.active_at, key.created_at) for key in ring]


async def rotate(core: Core, purpose_name: str) -> str:
    """Let the next key of a purpose take over: a signing key at once, a key of the ring in ten seconds.

    Returns:
        Its id.

    Raises:
        Misuse: there is no such purpose.
    """
    if purpose_name == SIGNING:
        fresh = await _fresh(core)
        return await _change(core, lambda change: signing.rotate(change, core.ring, fresh))
    wanted = PURPOSES.get(purpose_name)
    if wanted is None:
        names = ", ".join([SIGNING, *sorted(PURPOSES)])
        raise Misuse(f"there are no keys for {purpose_name!r}; there are keys for {names}")
    return await _change(core, lambda change: rotation.rotate(change, core.ring, wanted))


async def retire(core: Core, key_id: str) -> str:
    """End a key at once.

    Returns:
        What it was for.

    Raises:
        Misuse: what it made is still needed.
        Refused: `not_found`.
    """
    wanted = await _change(core, lambda change: rotation.retire(change, core.ring, key_id))
    if wanted is not None:
        return wanted.name
    fresh = await _fresh(core)
    if await _change(core, lambda change: signing.retire(change, core.ring, key_id, fresh)):
        return SIGNING
    raise Refused(NOT_FOUND, "there is no key with this id")


async def take_in(core: Core, pem: Secret) -> tuple[str, bool]:
    """Let a signing key of the operator's own be the next one.

    Returns:
        Its id, and whether it was new here.

    Raises:
        Misuse: it is no private key, too weak, not for `signing_algorithm`, or was retired.
    """
    key = read_pem(pem, core.settings.of(KeySettings).signing_algorithm)
    return key.kid, await _change(core, lambda change: signing.take_in(change, core.ring, key))


async def reseal(core: Core) -> int:
    """Let the root secret in force seal the keyring.

    Returns:
        How many keys were sealed anew.
    """
    return await _change(core, lambda change: rotation.reseal(change, core.ring))


async def _fresh(core: Core) -> SigningKey:
    return await new_key(core.world, core.settings.of(KeySettings).signing_algorithm)


async def _change(core: Core, work: Callable[[Change], Awaitable[T]]) -> T:
    async with core.runner.flow(Origin()) as flow:
        return await flow.change(work)
