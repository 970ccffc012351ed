"""Owns the ASGI application of a Django project with ostiary beside it.

Django answers no lifespan, so this does: the engine starts with the server and stops with it.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from ostiary.integrations.beside import Beside
from ostiary.integrations.django.configured import configured, serves
from ostiary.integrations.django.paths import refuse_collisions
from ostiary.integrations.host import Ostiary

LOOP: Final = "ostiary.loop"

# Django's type of an application and Starlette's say the same in words that do not match.
App = Callable[[Any, Any, Any], Awaitable[None]]


class Application:
    """ostiary's routes; Django for all others.

    Args:
        app: Django's ASGI application, or what stands around it.
        auth: The project's ostiary.
    """

    def __init__(self, app: App, auth: Ostiary) -> None:
        self._auth = auth
        self._loop: asyncio.AbstractEventLoop | None = None
        self._beside = Beside(app, auth, lambda: refuse_collisions(auth))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live through one lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        # Django runs synchronous views in threads; this is where their questions are answered.
        scope[LOOP] = loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._enter(loop)
        await self._beside(scope, receive, send)

    def _enter(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop = loop
        serves(self._auth, loop)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            refuse_collisions(self._auth)
            self._enter(asyncio.get_running_loop())
            await self._auth.start()
        except BaseException:
            await send({"type": "lifespan.startup.failed", "message": traceback.format_exc()})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._enter(None)
        await self._auth.stop()
        await send({"type": "lifespan.shutdown.complete"})


def asgi(app: App, auth: Ostiary | None = None) -> Application:
    """Put ostiary's routes beside Django's: ``application = asgi(get_asgi_application())``.

    Args:
        app: Django's ASGI application, or what stands around it, such as a router for WebSockets.
        auth: Another ostiary than that of the settings.

    Raises:
        Misuse: the settings do not fit together. When it starts: the project has routes of its own at ostiary's paths.
    """
    return Application(app, auth or configured())
