"""Owns the JSON routes of one's own sessions."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path

from ostiary.features.my_sessions import flow
from ostiary.http.access import CurrentOrigin, CurrentSession
from ostiary.http.inputs import CurrentCore, JsonBody

router = APIRouter(tags=["sessions"])


class MySession(JsonBody):
    """One place where the account is signed in. `place` is null until a geographic database is configured."""

    id: str
    current: bool
    device: str
    browser: str
    ip: str
    place: str | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


class MySessions(JsonBody):
    """Oldest first."""

    sessions: list[MySession]


class Ended(JsonBody):
    """How many sessions were ended."""

    ended: int


@router.get("/auth/sessions")
async def list_sessions(core: CurrentCore, current: CurrentSession) -> MySessions:
    """Where this account is signed in."""
    return MySessions(
        sessions=[
            MySession(
                id=session.id,
                current=session.id == current.session.id,
                device=session.device,
                browser=session.browser,
                ip=session.ip,
                place=None,
                created_at=session.created_at,
                last_seen_at=session.last_seen_at,
                expires_at=session.expires_at,
            )
            for session in await flow.mine(core, current.principal)
        ]
    )


@router.delete("/auth/sessions/{session_id}", status_code=204)
async def end_session(
    session_id: Annotated[str, Path(max_length=64)],
    core: CurrentCore,
    origin: CurrentOrigin,
    current: CurrentSession,
) -> None:
    """End one session; it is refused on its next request."""
    await flow.end(core, origin, current.principal, session_id)


@router.post("/auth/sessions/revoke-others")
async def end_other_sessions(core: CurrentCore, origin: CurrentOrigin, current: CurrentSession) -> Ended:
    """End every session but this one."""
    return Ended(ended=await flow.end_others(core, origin, current.principal))
