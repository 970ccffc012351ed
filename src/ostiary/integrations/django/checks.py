"""Owns the system checks: mistakes in a project's settings that `manage.py check` names, each with a stable id.

ostiary.E001  settings that do not fit together
ostiary.E002  the middleware is missing
ostiary.E003  middleware in the wrong order
ostiary.E004  paths of the project that are ostiary's
ostiary.E005  development settings in production (`check --deploy`)
ostiary.E006  names of cookies or headers that collide
ostiary.E007  paths in OSTIARY_PUBLIC_PATHS that are none
ostiary.E008  OSTIARY_SECURITY_HEADERS that are none
ostiary.W001  paths that differ from ostiary's by the slash at the end alone
ostiary.W002  Django and ostiary disagree about proxies
ostiary.W003  Django would refuse requests to ostiary's base URL
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's own names
from django.http.request import validate_host
from django.utils.module_loading import import_string

from ostiary.engine.settings import EngineSettings
from ostiary.integrations.django.configured import configured
from ostiary.integrations.django.middleware import (
    PUBLIC_PATHS,
    SECURITY_HEADERS,
    OstiaryMiddleware,
    RequireSignIn,
)
from ostiary.integrations.django.paths import collisions, near_collisions
from ostiary.integrations.host import Ostiary
from ostiary.integrations.paths import Prefixes
from ostiary.integrations.security_headers import Hardening
from ostiary.kernel.errors import Misuse

Check = Callable[..., Sequence[CheckMessage]]
OURS: Final = "ostiary.integrations.django.OstiaryMiddleware"
_UPDATE_CACHE: Final = "django.middleware.cache.UpdateCacheMiddleware"
_LOCAL: Final = [".localhost", "127.0.0.1", "[::1]"]  # what Django allows while DEBUG is on


def _auth() -> Ostiary | None:
    """The project's ostiary; None if its settings are wrong, which E001 tells."""
    try:
        return configured()
    except Misuse:
        return None


def check_settings(**_: Any) -> list[CheckMessage]:
    """E001: what is wrong or missing in OSTIARY."""
    try:
        configured()
    except Misuse as error:
        hint = (
            "Set it in OSTIARY, or as an environment variable OSTIARY_<NAME>; see docs/reference/settings.md."
        )
        return [Error(str(error), hint=hint, id="ostiary.E001")]
    return []


def _classes() -> list[tuple[str, Any]]:
    found = []
    for path in settings.MIDDLEWARE:
        try:
            found.append((path, import_string(path)))
        except ImportError:
            found.append((path, None))  # Django says so itself
    return found


def _named(kind: type) -> list[str]:
    return [path for path, found in _classes() if isinstance(found, type) and issubclass(found, kind)]


def check_middleware(**_: Any) -> list[CheckMessage]:
    """E002 and E003: the middleware is there, once, inside the cache's and around the guard of the site."""
    names = _named(OstiaryMiddleware)
    if not names:
        hint = f'Add "{OURS}" to MIDDLEWARE, after SecurityMiddleware.'
        return [Error("ostiary's middleware is not in MIDDLEWARE.", hint=hint, id="ostiary.E002")]
    order = list(settings.MIDDLEWARE)
    if len(names) > 1:
        message, hint = f"ostiary's middleware is in MIDDLEWARE {len(names)} times.", "Once is enough."
        return [Error(message, hint=hint, id="ostiary.E003")]
    if _UPDATE_CACHE in order and order.index(_UPDATE_CACHE) > order.index(names[0]):
        message = "UpdateCacheMiddleware stands after ostiary's: it would keep pages of one person for all."
        return [Error(message, hint=f'Put "{_UPDATE_CACHE}" before "{names[0]}".', id="ostiary.E003")]
    for guard in _named(RequireSignIn):
        if order.index(guard) < order.index(names[0]):
            message = f"{guard} stands before ostiary's middleware, so it cannot know who asks."
            return [Error(message, hint=f'Put "{names[0]}" before it.', id="ostiary.E003")]
    return []


def check_public_paths(**_: Any) -> list[CheckMessage]:
    """E007: what is public is written as paths."""
    try:
        Prefixes(getattr(settings, PUBLIC_PATHS, ()))
    except Misuse as error:
        hint = f'Write {PUBLIC_PATHS} as a list of paths, such as ["/", "/about"].'
        return [Error(f"{PUBLIC_PATHS}: {error}", hint=hint, id="ostiary.E007")]
    return []


def check_headers(**_: Any) -> list[CheckMessage]:
    """E008: security headers are headers."""
    try:
        Hardening(**getattr(settings, SECURITY_HEADERS, {}))
    except (Misuse, TypeError) as error:
        hint = f"{SECURITY_HEADERS} is a dictionary of `csp`, `hsts` and `headers`."
        return [Error(f"{SECURITY_HEADERS}: {error}", hint=hint, id="ostiary.E008")]
    return []


def check_paths(**_: Any) -> list[CheckMessage]:
    """E004 and W001: paths of the project that are ostiary's, or nearly."""
    auth = _auth()
    if auth is None:
        return []
    found: list[CheckMessage] = []
    if taken := collisions(auth):
        message = (
            f"ostiary serves these paths, so the project's own would never be reached: {', '.join(taken)}."
        )
        hint = "Move them, or leave the feature out with `ribs`."
        found.append(Error(message, hint=hint, id="ostiary.E004"))
    if near := near_collisions(auth):
        message = f"These paths differ from ostiary's by the slash at the end alone: {', '.join(near)}."
        hint = (
            "Without the slash they are ostiary's, and APPEND_SLASH does not lead there; choose other paths."
        )
        found.append(Warning(message, hint=hint, id="ostiary.W001"))
    return found


def check_development(**_: Any) -> list[CheckMessage]:
    """E005, when deploying: no development settings."""
    auth = _auth()
    if auth is None or not auth.engine.settings.of(EngineSettings).dev:
        return []
    message = "OSTIARY has dev=True: mails are shown to everybody, and the root secret is a file beside the database."
    hint = "Take `dev` out, and set base_url, root_secret, mail_from and the mail server."
    return [Error(message, hint=hint, id="ostiary.E005")]


def check_names(**_: Any) -> list[CheckMessage]:
    """E006: Django's session, and its own defence against forged requests, keep names of their own."""
    auth = _auth()
    if auth is None:
        return []
    found: list[CheckMessage] = []
    cookies = auth.engine.app.edge.cookies
    ours = {
        cookies.session,
        cookies.csrf,
        cookies.pre,
        cookies.known,
        cookies.note,
        cookies.access,
        cookies.refresh,
        cookies.trust,
    }
    for name in ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "LANGUAGE_COOKIE_NAME"):
        if getattr(settings, name) in ours:
            message = f"{name} is {getattr(settings, name)!r}, the name of a cookie of ostiary's."
            found.append(Error(message, hint="Choose another name.", id="ostiary.E006"))
    if settings.CSRF_HEADER_NAME == "HTTP_X_CSRF_TOKEN":
        message = "CSRF_HEADER_NAME is the header in which ostiary expects its own token, X-CSRF-Token."
        hint = "Leave Django's default, X-CSRFToken: a request may carry both."
        found.append(Error(message, hint=hint, id="ostiary.E006"))
    return found


def check_proxies(**_: Any) -> list[CheckMessage]:
    """W002: who may say by which scheme a request came."""
    auth = _auth()
    if auth is None:
        return []
    edge = auth.engine.app.edge
    trusted, header = edge.settings.trusted_proxies, settings.SECURE_PROXY_SSL_HEADER
    if header is not None and trusted == 0:
        message = (
            "SECURE_PROXY_SSL_HEADER is set, so a proxy stands in front, but ostiary's trusted_proxies is 0."
        )
        hint = "Set trusted_proxies to the number of your proxies: otherwise all clients share one limit."
        return [Warning(message, hint=hint, id="ostiary.W002")]
    if header is None and trusted > 0 and edge.base.is_https:
        message = "ostiary's trusted_proxies is set, but SECURE_PROXY_SSL_HEADER is not: Django takes https for http."
        hint = 'If the proxy ends TLS, set SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https").'
        return [Warning(message, hint=hint, id="ostiary.W002")]
    return []


def check_hosts(**_: Any) -> list[CheckMessage]:
    """W003: the base URL's host is one of Django's."""
    auth = _auth()
    if auth is None:
        return []
    host = auth.engine.app.edge.base.host
    allowed = settings.ALLOWED_HOSTS or (_LOCAL if settings.DEBUG else [])
    if validate_host(host, allowed):
        return []
    message = f"ostiary's base_url leads to {host!r}, which Django would refuse."
    return [Warning(message, hint=f"Add {host!r} to ALLOWED_HOSTS.", id="ostiary.W003")]


CHECKS: Final[tuple[Check, ...]] = (
    check_settings,
    check_middleware,
    check_public_paths,
    check_headers,
    check_paths,
    check_names,
    check_proxies,
    check_hosts,
)
DEPLOYMENT_CHECKS: Final[tuple[Check, ...]] = (check_development,)
