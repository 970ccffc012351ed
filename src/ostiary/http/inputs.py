"""Owns what routes with a JSON body take: strict bodies, and for typed routes the wired core."""

from typing import Annotated, TypeVar

from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from ostiary.core.wiring import Core
from ostiary.http.visit import Visit, visit_of


class JsonBody(BaseModel):
    """A JSON object with exactly the declared members; an unknown one is refused (mass assignment, S-E3)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


Model = TypeVar("Model", bound=JsonBody)


def json_body(visit: Visit, model: type[Model]) -> Model:
    """The body of a hot route, judged and refused as FastAPI does it for a typed one.

    Raises:
        RequestValidationError: it does not fit the model, or there is none.
    """
    if visit.json is None:
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required"}])
    try:
        return model.model_validate(visit.json)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in found]) from None


async def request_core(request: Request) -> Core:
    """The engine behind this request, as a FastAPI dependency."""
    return visit_of(request.scope).edge.core


CurrentCore = Annotated[Core, Depends(request_core)]
