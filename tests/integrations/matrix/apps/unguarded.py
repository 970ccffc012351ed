"""An application that has forgotten every guard; each row of the matrix must notice it."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ostiary.engine.engine import Engine
from ostiary.integrations.starlette import Ostiary


async def anything(request: Request) -> Response:
    """Let everybody do everything."""
    return JSONResponse(
        {"id": "1", "owner": "somebody", "words": "everything"}, 200 if request.method == "GET" else 201
    )


def unguarded(engine: Engine) -> Starlette:
    """The application, beside an engine."""
    app = Starlette(routes=[Route("/{rest:path}", anything, methods=["GET", "POST"])])
    Ostiary(engine).install(app)
    return app
