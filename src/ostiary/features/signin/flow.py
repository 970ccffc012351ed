"""Owns signing out; signing in is the door's."""

from ostiary.core.change import Change
from ostiary.core.wiring import Core
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal


async def sign_out(core: Core, origin: Origin, who: Principal, *, everywhere: bool) -> None:
    """End the session, or every session of its account."""

    async def work(change: Change) -> None:
        if everywhere:
            await core.sessions.end_all(change, who.account_id, "signed_out_everywhere")
        elif who.session_id:
            await core.sessions.end(change, who.account_id, who.session_id, "signed_out")

    async with core.runner.flow(origin) as flow:
        await flow.change(work)
