"""Owns the OpenAPI document: FastAPI's JSON routes, the hot routes beside them, and our kind of errors."""

from collections.abc import Iterable
from typing import Any, Final

import orjson
from fastapi import FastAPI

from ostiary.http.routing import Hot
from ostiary.http.table import plain_path

PATH: Final = "/auth/openapi.json"
_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Problem details (RFC 9457). Branch on `code`.",
    "required": ["type", "title", "status", "code", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "instance": {"type": "string"},
        "retry_after": {"type": "integer", "description": "Seconds."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["loc", "message", "type"],
                "properties": {
                    "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                },
            },
        },
    },
}
_AS_PROBLEM: Final[dict[str, Any]] = {
    "description": "A problem.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def document(app: FastAPI, hot: Iterable[Hot]) -> bytes:
    """The whole document as JSON.

    Args:
        app: Holds the JSON routes.
        hot: Those with a `doc` are listed.
    """
    # A copy: FastAPI keeps the dictionary that it hands out.
    whole: dict[str, Any] = orjson.loads(orjson.dumps(app.openapi()))
    paths: dict[str, Any] = whole.setdefault("paths", {})
    for route in hot:
        if route.doc is not None:
            operations = paths.setdefault(plain_path(route.path), {})
            for method in route.methods:
                operations[method.lower()] = {"responses": {}} | orjson.loads(orjson.dumps(dict(route.doc)))
    schemas = whole.setdefault("components", {}).setdefault("schemas", {})
    # Invalid fields are answered as a problem, not in FastAPI's own form.
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = _PROBLEM
    for operations in paths.values():
        for operation in operations.values():
            if isinstance(operation, dict) and "responses" in operation:
                if "422" in operation["responses"]:
                    operation["responses"]["422"] = _AS_PROBLEM | {"description": "The request is not valid."}
                operation["responses"].setdefault("default", _AS_PROBLEM)
    return orjson.dumps(whole)
