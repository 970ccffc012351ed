"""Owns the JSON route of one's own roles."""

from datetime import datetime

from fastapi import APIRouter

from ostiary.features.roles import flow
from ostiary.http.access import CurrentSession
from ostiary.http.inputs import CurrentCore, JsonBody

router = APIRouter(tags=["account"])


class RoleView(JsonBody):
    """A role that the account holds: `scope` is "" everywhere, `permissions` are patterns such as `notes:*`."""

    role: str
    about: str
    scope: str
    until: datetime | None
    permissions: list[str]


class Roles(JsonBody):
    """What the account holds at this moment."""

    roles: list[RoleView]


@router.get("/auth/account/roles")
async def list_roles(core: CurrentCore, current: CurrentSession) -> Roles:
    """The roles that the account holds, and what they allow."""
    return Roles(
        roles=[
            RoleView(
                role=one.role, about=one.doc, scope=one.scope, until=one.until, permissions=list(one.patterns)
            )
            for one in await flow.mine(core, current.principal)
        ]
    )
