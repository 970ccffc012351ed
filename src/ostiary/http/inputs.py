"""Owns what the typed JSON routes take: strict bodies, the wired core, the origin and the session."""

from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

from ostiary.core.wiring import Core
from ostiary.http.visit import visit_of


class JsonBody(BaseModel):
    """A JSON object with exactly the declared members; an unknown one is refused (mass assignment, S-E3)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


async def request_core(request: Request) -> Core:
    """The engine behind this request, as a FastAPI dependency."""
    return visit_of(request.scope).edge.core


CurrentCore = Annotated[Core, Depends(request_core)]
