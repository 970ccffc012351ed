"""Owns the security headers of a Flask application's own responses, and under which name Flask knows ostiary."""

from typing import Any, Final

from flask import Flask, Response, current_app, g, request

from ostiary.integrations import blocking
from ostiary.integrations.security_headers import NONCE, Hardening
from ostiary.integrations.wsgi import texts

EXTENSION: Final = "ostiary"


class SecurityHeaders:
    """Adds the security headers that a response lacks; what the host has set is never changed.

    Args:
        app: The application; or call `init_app` later.
        given: ``csp``, ``hsts`` and ``headers``, as `ostiary.integrations.security_headers.Hardening` takes them. A
            ``{nonce}`` in the policy is `csp_nonce` in templates, and ``flask.g.csp_nonce``.

    Raises:
        Misuse: a name or a value holds what no header may.
    """

    def __init__(self, app: Flask | None = None, **given: Any) -> None:
        self._hardening = Hardening(**given)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Do so for every response of an application, those of its error handlers, too."""
        app.after_request(self._harden)
        if self._hardening.has_nonce:
            # Before everything that was added so far, since that may answer.
            app.before_request_funcs.setdefault(None, []).insert(0, self._new_nonce)
            app.context_processor(lambda: {NONCE: g.get(NONCE, "")})

    def _new_nonce(self) -> None:
        setattr(g, NONCE, self._hardening.new_nonce())

    def _harden(self, response: Response) -> Response:
        auth: blocking.Ostiary | None = current_app.extensions.get(EXTENSION)
        is_https = request.is_secure or (auth is not None and auth.engine.app.edge.base.is_https)
        given = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
        missing = self._hardening.missing(given, is_https=is_https, nonce=g.get(NONCE, ""))
        response.headers.extend(texts(missing))
        return response
