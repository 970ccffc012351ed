"""Owns the host applications whose guards are measured: the same three routes in each framework, beside ostiary."""

import os
import sys
import types
from collections.abc import Callable
from typing import Any, Final

import uvicorn
from django import setup
from django.conf import settings as django_settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bench.yardsticks import config
from ostiary.integrations import django, fastapi, flask, starlette
from ostiary.kernel.world import World

ROLES: Final = (fastapi.Role("reader", ("notes:read",)),)
_HELLO: Final = {"hello": "world"}


def _in_fastapi(settings: dict[str, Any]) -> FastAPI:
    app = FastAPI(openapi_url=None)

    async def hello() -> dict[str, str]:
        return _HELLO

    app.get("/bare")(hello)
    app.get("/user", dependencies=[fastapi.signed_in()])(hello)
    app.get("/may", dependencies=[fastapi.requires("notes:read")])(hello)
    fastapi.Ostiary(roles=ROLES, **settings).install(app)
    return app


def _in_starlette(settings: dict[str, Any]) -> Starlette:
    async def hello(_: Request) -> Response:
        return JSONResponse(_HELLO)

    app = Starlette(
        routes=[
            Route("/bare", hello),
            Route("/user", starlette.signed_in()(hello)),
            Route("/may", starlette.requires("notes:read")(hello)),
        ]
    )
    starlette.Ostiary(roles=ROLES, **settings).install(app)
    return app


def _in_flask(settings: dict[str, Any]) -> Flask:
    app = Flask(__name__)

    @app.get("/bare")
    def bare() -> dict[str, str]:
        return _HELLO

    @app.get("/user")
    @flask.signed_in
    def user() -> dict[str, str]:
        return _HELLO

    @app.get("/may")
    @flask.requires("notes:read")
    def may() -> dict[str, str]:
        return _HELLO

    flask.Ostiary(roles=ROLES, **settings).init_app(app)
    return app


def _hello(_: Any) -> JsonResponse:
    return JsonResponse(_HELLO)


async def _async_hello(_: Any) -> JsonResponse:
    return JsonResponse(_HELLO)


def _django(settings: dict[str, Any], view: Any) -> None:
    """Configure a project whose views are all this one."""
    urls = types.ModuleType("bench_urls")
    urls.urlpatterns = [  # type: ignore[attr-defined]
        path("bare", view),
        path("user", django.signed_in()(view)),
        path("may", django.requires("notes:read")(view)),
    ]
    django_settings.configure(
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["ostiary.integrations.django"],
        MIDDLEWARE=[
            "ostiary.integrations.django.OstiaryMiddleware",
            "django.middleware.common.CommonMiddleware",  # says how long answers are
        ],
        OSTIARY=django.Ostiary(roles=ROLES, **settings),
        ROOT_URLCONF=urls,
        SECRET_KEY=World().token(32).reveal(),
    )
    setup()


def _in_django_asgi(settings: dict[str, Any]) -> Any:
    _django(settings, _async_hello)
    return django.asgi(get_asgi_application())


def _in_django_wsgi(settings: dict[str, Any]) -> Any:
    _django(settings, _hello)
    return django.wsgi(get_wsgi_application())


_MAKERS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "FastAPI": _in_fastapi,
    "Starlette": _in_starlette,
    "Django, ASGI": _in_django_asgi,
    "Django, WSGI": _in_django_wsgi,
    "Flask": _in_flask,
}
HOSTS: Final = tuple(_MAKERS)
_SYNCHRONOUS: Final = frozenset({"Django, WSGI", "Flask"})


def made(name: str) -> Any:
    """The application in a framework, on the SQLite file in the folder of the environment."""
    return _MAKERS[name]({"data": os.environ["OSTIARY_DATA"], "dev": True, "default_role": "reader"})


def main(name: str, port: int) -> None:
    """Serve one until told to stop: by uvicorn, or by one process of gunicorn with eight threads."""
    if name in _SYNCHRONOUS:
        options = [
            "--threads",
            "8",
            "--keep-alive",
            "60",
            "--no-control-socket",
            "--bind",
            f"127.0.0.1:{port}",
        ]
        os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *options, f"bench.hosts:made({name!r})"])
    uvicorn.Server(config(made(name), port, lifespan=True)).run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
