"""Owns the WSGI application of a Django project with ostiary beside it."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from ostiary.integrations.django.configured import configured, portal_of
from ostiary.integrations.django.paths import refuse_collisions
from ostiary.integrations.host import Ostiary
from ostiary.integrations.wsgi import Bridge, Environ, StartResponse

PORTAL: Final = "ostiary.portal"  # no client can write such a key: its headers begin with HTTP_


class Application:
    """ostiary's routes; Django for all others.

    Args:
        app: Django's WSGI application, or what stands around it.
        auth: The project's ostiary.
    """

    def __init__(self, app: Callable[[Environ, StartResponse], Iterable[bytes]], auth: Ostiary) -> None:
        self._app = app
        self._auth = auth
        self._portal = portal_of(auth)
        self._bridge = Bridge(self._portal)
        self._is_checked = False

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if not self._is_checked:
            refuse_collisions(self._auth)
            self._is_checked = True
        self._portal.wake()  # mails want to be sent also if no request asks ostiary anything
        if self._bridge.owns(environ):
            return self._bridge(environ, start_response)
        environ[PORTAL] = self._portal
        return self._app(environ, start_response)


def wsgi(app: Callable[[Any, Any], Iterable[bytes]], auth: Ostiary | None = None) -> Application:
    """Put ostiary's routes beside Django's: ``application = wsgi(get_wsgi_application())``.

    The engine runs in one background thread of the process. It starts with the first request that needs it, also after
    a fork, and stops when the process ends.

    Args:
        app: Django's WSGI application, or what stands around it, such as WhiteNoise.
        auth: Another ostiary than that of the settings.

    Raises:
        Misuse: the settings do not fit together. With the first request: the project has routes of its own at ostiary's
            paths.
    """
    return Application(app, auth or configured())
