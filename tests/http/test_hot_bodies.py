"""Hot routes with a JSON body: judged, refused and described as FastAPI's typed ones are."""

import pytest
from fastapi import FastAPI
from pydantic import create_model
from starlette.requests import Request
from starlette.responses import Response

from ostiary.http.access import PUBLIC
from ostiary.http.assembly import json_response
from ostiary.http.inputs import JsonBody
from ostiary.http.openapi import document
from ostiary.http.routing import Hot
from ostiary.kernel.errors import Misuse
from tests.http.stage import Note, Stage, build


@pytest.fixture
async def stage() -> Stage:
    """The app."""
    return await build()


async def endpoint(request: Request) -> Response:
    """A route."""
    return json_response({})


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{}", b'{"email": 1}', b'{"email": "a@example.com", "more": 1, "\\u00e9": 2}', b'{"email": "no address"}',
        b'{"email": "a@example.com", "password": "short"}', b'{"email": "a@example.com", "count": "many"}',
        b"[]", b"{", b'{"email": "a@example.com", "count": 1, "count": 2}',
    ],
)  # fmt: skip
async def test_a_hot_body_is_refused_like_a_typed_one(stage: Stage, raw: bytes) -> None:
    """The same problem with the same errors, and the route does not run."""
    headers = {"content-type": "application/json"}
    async with stage.client() as client:
        typed, hot = [
            await client.post(path, content=raw, headers=headers)
            for path in ("/auth/notes", "/auth/hot-notes")
        ]
    assert typed.status_code == hot.status_code >= 400
    assert {**typed.json(), "instance": ""} == {**hot.json(), "instance": ""}
    assert stage.ran == []


async def test_a_hot_body_is_read(stage: Stage) -> None:
    """What fits the model reaches the route."""
    async with stage.client() as client:
        answer = await client.post("/auth/hot-notes", json={"email": "a@example.com", "count": 3})
    assert answer.status_code == 200
    assert stage.ran == ["hot-note"]


async def test_the_document_describes_hot_bodies(stage: Stage) -> None:
    """As it describes typed ones, by the same components."""
    async with stage.client() as client:
        document = (await client.get("/auth/openapi.json")).json()
    typed, hot = (document["paths"][path]["post"] for path in ("/auth/notes", "/auth/hot-notes"))
    assert hot["requestBody"] == typed["requestBody"]
    assert hot["responses"]["422"] == typed["responses"]["422"]
    answers = hot["responses"]["200"]["content"]["application/json"]["schema"]["anyOf"]
    assert answers == [{"$ref": "#/components/schemas/Noted"}, {"type": "null"}]
    assert document["components"]["schemas"]["Noted"]["properties"]["ip"]["type"] == "string"


async def test_two_models_of_one_name_are_misuse() -> None:
    """One of them would describe the other's route."""
    other = create_model("Note", __base__=JsonBody, words=(str, ...))
    hot = [
        Hot(path, ("POST",), endpoint, PUBLIC, {}, takes=model)
        for path, model in (("/a", Note), ("/b", other))
    ]
    with pytest.raises(Misuse, match="Note"):
        document(FastAPI(), hot)
