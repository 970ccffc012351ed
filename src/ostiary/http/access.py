"""Owns what stands before a route: `Access`, declared with every route, and the dependencies that read the visit."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request

from ostiary.core.sessions.sessions import Resolved
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.origin import Origin


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call a route at all.

    Attributes:
        name: In the list of routes that a test compares.
        check: Runs before anything of the route; raises `Refused`. None lets everybody through.
    """

    name: str
    check: Callable[[Visit], Awaitable[object]] | None


async def _has_session(visit: Visit) -> None:
    await visit.session()


PUBLIC: Final = Access("public", None)
SESSION: Final = Access("session", _has_session)


async def require_session(request: Request) -> Resolved:
    """The live session of this request, as a FastAPI dependency.

    Raises:
        Refused: `not_authenticated` or `session_ended`.
    """
    return await visit_of(request.scope).session()


async def request_origin(request: Request) -> Origin:
    """Where the request came from, as a FastAPI dependency."""
    return visit_of(request.scope).origin


CurrentSession = Annotated[Resolved, Depends(require_session)]
CurrentOrigin = Annotated[Origin, Depends(request_origin)]


def dependency_of(access: Access) -> Callable[[Request], Awaitable[None]]:
    """The check of an access as a FastAPI dependency, for whole routers."""

    async def guard(request: Request) -> None:
        if access.check is not None:
            await access.check(visit_of(request.scope))

    return guard
