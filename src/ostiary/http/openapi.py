"""Owns the OpenAPI document: FastAPI's JSON routes, the hot routes beside them, and our kind of errors."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from fastapi import FastAPI
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from ostiary.http.routing import Hot
from ostiary.http.table import plain_path
from ostiary.kernel.errors import Misuse

PATH: Final = "/auth/openapi.json"
_REF: Final = "#/components/schemas/{model}"
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


def _operation(route: Hot, doc: Mapping[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {"responses": {}} | orjson.loads(orjson.dumps(dict(doc)))
    if route.takes is not None:
        operation["requestBody"] = {"required": True} | _content(route.takes, "validation", schemas)
        operation["responses"]["422"] = {}
    if route.gives is not None:
        told = operation["responses"].setdefault("200", {"description": "Successful Response"})
        told |= _content(route.gives, "serialization", schemas)
    return operation


def _content(kind: Any, mode: JsonSchemaMode, schemas: dict[str, Any]) -> dict[str, Any]:
    """A body of this type; its models are put beside those that FastAPI has found."""
    found, parts = TypeAdapter.json_schemas([("body", mode, TypeAdapter(kind))], ref_template=_REF)
    for name, given in parts.get("$defs", {}).items():
        schema = _without_null(given)
        if schemas.setdefault(name, schema) != schema:
            raise Misuse(f"two models of the OpenAPI document are named {name!r}")
    return {"content": {"application/json": {"schema": found["body", mode]}}}


def _without_null(schema: Any) -> Any:
    """As FastAPI writes schemas: it leaves `"default": null` out."""
    if isinstance(schema, dict):
        return {name: _without_null(part) for name, part in schema.items() if part is not None}
    return [_without_null(part) for part in schema] if isinstance(schema, list) else schema


def document(app: FastAPI, hot: Iterable[Hot]) -> bytes:
    """The whole document as JSON.

    Args:
        app: Holds the JSON routes.
        hot: Those with a `doc` are listed.
    """
    # A copy: FastAPI keeps the dictionary that it hands out.
    whole: dict[str, Any] = orjson.loads(orjson.dumps(app.openapi()))
    paths: dict[str, Any] = whole.setdefault("paths", {})
    schemas: dict[str, Any] = whole.setdefault("components", {}).setdefault("schemas", {})
    for route in hot:
        if route.doc is not None:
            operations = paths.setdefault(plain_path(route.path), {})
            for method in route.methods:
                operations[method.lower()] = _operation(route, route.doc, schemas)
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
