"""Owns listing and ending one's own sessions."""

from ostiary.core.change import Change
from ostiary.core.sessions.sessions import Session
from ostiary.core.wiring import Core
from ostiary.kernel.errors import NOT_FOUND, Refused
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal


async def mine(core: Core, who: Principal) -> list[Session]:
    """The live sessions of whoever asks, oldest first."""
    return await core.sessions.live(core.database, who.account_id)


async def end(core: Core, origin: Origin, who: Principal, session_id: str) -> None:
    """End one of one's own sessions.

    Raises:
        Refused: `not_found`; there is no such live session, or it is somebody else's.
    """

    async def work(change: Change) -> None:
        if not await core.sessions.end(change, who.account_id, session_id, "ended_by_owner"):
            raise Refused(NOT_FOUND, "no such session of this account")

    async with core.runner.flow(origin) as flow:
        await flow.change(work)


async def end_others(core: Core, origin: Origin, who: Principal) -> int:
    """End all of one's own sessions but the present one.

    Returns:
        How many were ended.
    """
    async with core.runner.flow(origin) as flow:
        return await flow.change(
            lambda change: core.sessions.end_all(
                change, who.account_id, "ended_by_owner", keep=who.session_id or ""
            )
        )
