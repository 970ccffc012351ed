"""Owns the one Django project of the test process: Django is configured once, tests change settings for a while."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import django
import httpx2
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.test import override_settings

from ostiary.integrations.django import Ostiary, asgi
from ostiary.integrations.django.asgi import Application
from ostiary.kernel.world import World
from ostiary.testing import Kit
from ostiary.testing.kit import PASSWORD

MIDDLEWARE: Final = "ostiary.integrations.django.OstiaryMiddleware"

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["ostiary.integrations.django"],
        LOGGING_CONFIG=None,
        MIDDLEWARE=[MIDDLEWARE],
        ROOT_URLCONF=(),
        SECRET_KEY=World().token(32).reveal(),
    )
    django.setup()


@contextmanager
def project(*urls: Any, middleware: Sequence[str] = (MIDDLEWARE,), **changed: Any) -> Iterator[None]:
    """The project with these URLs and settings."""
    with override_settings(ROOT_URLCONF=tuple(urls), MIDDLEWARE=list(middleware), **changed):
        yield


def application(kit: Kit) -> Application:
    """The project around a kit's engine, as asgi.py makes it."""
    return asgi(get_asgi_application(), Ostiary(kit.engine))


@asynccontextmanager
async def visiting(app: Any, kit: Kit, address: str = "") -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an application; with an address somebody new who is signed in and sends no CSRF token by habit."""
    transport = httpx2.ASGITransport(app, client=("192.0.2.10", 40_000), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=kit.base_url) as client:
        if address:
            await kit.signed_up(address)
            body = {"identifier": address, "password": PASSWORD}
            assert (await client.post("/auth/login", json=body)).status_code == 200
        yield client


def proof(client: httpx2.AsyncClient) -> dict[str, str]:
    """The CSRF header of a client that is signed in."""
    return {"x-csrf-token": client.cookies["__Host-ostiary-csrf"]}
