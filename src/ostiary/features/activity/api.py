"""Owns the JSON route of one's own activity."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from ostiary.core.cursor import LONGEST
from ostiary.features.activity import flow
from ostiary.http.access import CurrentSession
from ostiary.http.inputs import CurrentCore, JsonBody

router = APIRouter(tags=["account"])


class HappeningView(JsonBody):
    """Something that happened: `type` is the event's name, `words` a sentence for the owner.

    `place` is null until a geographic database is configured.
    """

    id: str
    at: datetime
    type: str
    words: str
    device: str
    ip: str
    place: str | None = None


class Activity(JsonBody):
    """The latest first. `next` goes into `cursor` for what was before; null at the end."""

    activity: list[HappeningView]
    next: str | None


@router.get("/auth/account/activity")
async def list_activity(
    core: CurrentCore,
    current: CurrentSession,
    cursor: Annotated[str | None, Query(min_length=1, max_length=LONGEST)] = None,
    limit: Annotated[int, Query(ge=1, le=flow.MOST_SHOWN)] = flow.SHOWN,
) -> Activity:
    """What has happened to this account."""
    page = await flow.mine(core, current.principal, cursor, limit)
    return Activity(
        activity=[
            HappeningView(id=one.id, at=one.at, type=one.type, words=one.words, device=one.device, ip=one.ip)
            for one in page.happenings
        ],
        next=page.next,
    )
