"""Owns the Flask face of ostiary.

auth = Ostiary(database="sqlite:///auth.db", dev=True)
app = Flask(__name__)
auth.init_app(app)

@app.get("/me")
@signed_in
def me(): return {"hello": current_user.email}
"""

import contextlib
import re
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, Final, TypeVar, cast, overload

import click
from flask import Blueprint, Flask, Response, current_app, has_request_context, request
from flask.cli import with_appcontext
from flask.sansio.scaffold import Scaffold
from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy

from ostiary.core.access.authority import Standing
from ostiary.core.access.expression import principal, row
from ostiary.core.access.policy import Kind, Policy
from ostiary.core.access.roles import Role
from ostiary.core.accounts.accounts import Account as User
from ostiary.core.accounts.profile import Profile, ProfileField
from ostiary.core.api_keys.keys import ApiKey
from ostiary.core.sessions.sessions import Resolved, Session
from ostiary.integrations import blocking, commands, demands
from ostiary.integrations.demands import By, Demand, Fields, HostVisit, refusal, reply_headers
from ostiary.integrations.flask_headers import EXTENSION, SecurityHeaders
from ostiary.integrations.paths import Prefixes
from ostiary.integrations.wsgi import Environ, StartResponse, known_visit, texts, visit_of
from ostiary.kernel.errors import Misuse, Refused, Unavailable
from ostiary.kernel.principal import Principal

__all__ = [
    "Guard",
    "Kind",
    "Ostiary",
    "Policy",
    "Profile",
    "ProfileField",
    "Role",
    "SecurityHeaders",
    "User",
    "csrf_token",
    "current_api_key",
    "current_principal",
    "current_profile",
    "current_session",
    "current_standing",
    "current_user",
    "guarded",
    "optional_user",
    "principal",
    "rate_limit",
    "requires",
    "requires_fresh",
    "requires_role",
    "row",
    "signed_in",
]

T = TypeVar("T")
View = TypeVar("View", bound=Callable[..., Any])

_ANSWERS: Final = "ostiary.answers"
_PARAMETER: Final = re.compile(r"<[^>]*>")
# Views, and what guards made of them.
_behind: Final[weakref.WeakKeyDictionary[Any, weakref.WeakSet[Any]]] = weakref.WeakKeyDictionary()


class Ostiary(blocking.Ostiary):
    """ostiary inside Flask applications; see `ostiary.integrations.host.Ostiary` for the arguments.

    Its methods wait for their answer; call them from views, commands and threads alike.
    """

    def init_app(self, app: Flask) -> None:
        """Serve ostiary's routes beside the application's and support its guards. One object may serve several apps.

        Raises:
            Misuse: the application has an ostiary already. When it is first called: it has routes of its own at
                ostiary's paths.
        """
        if EXTENSION in app.extensions:
            raise Misuse("init_app was called on this application before; once is enough")
        app.extensions[EXTENSION] = self
        app.wsgi_app = _Beside(app, self)  # type: ignore[method-assign]  # as Flask's documentation has it
        app.context_processor(lambda: {"csrf_token": csrf_token, "optional_user": optional_user})
        app.cli.add_command(_command)
        handlers = app.error_handler_spec[None][None]
        for family in (Refused, Unavailable):  # such as `current_standing.require(…)` raises in a view
            handlers.setdefault(family, _answer)

    def real(self, value: Any) -> Any:
        """The object behind `current_user` and its like, which mean nothing in the engine's thread."""
        return value._get_current_object() if isinstance(value, LocalProxy) else value  # noqa: SLF001 - its documented name


@click.command(
    EXTENSION,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@with_appcontext
def _command(arguments: tuple[str, ...]) -> None:
    """The commands of ostiary, on this application's database."""
    auth: Ostiary = current_app.extensions[EXTENSION]
    auth.stop()  # a command opens the engine in a loop of its own
    commands.run(auth.engine, arguments, f"flask {EXTENSION}")


class _Beside:
    """The application's `wsgi_app`: our paths are ours, all others stay the host's."""

    def __init__(self, app: Flask, auth: Ostiary) -> None:
        self._app = app
        self._inner = app.wsgi_app
        self._auth = auth
        self._is_checked = False

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        if not self._is_checked:  # not in `init_app`: routes may be added after it
            self._check()
            self._is_checked = True
        self._auth.portal.wake()
        if self._auth.bridge.owns(environ):
            return self._auth.bridge(environ, start_response)

        def begin(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            visit = known_visit(environ)
            if visit is not None:
                given = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
                headers = [*headers, *texts(reply_headers(visit, given))]
            return start_response(status, headers, *error)

        return self._inner(environ, begin)

    def _check(self) -> None:
        owns = self._auth.engine.app.owns
        taken = sorted(
            {rule.rule for rule in self._app.url_map.iter_rules() if owns(_PARAMETER.sub("1", rule.rule))}
        )
        if taken:
            raise Misuse(
                f"ostiary serves these paths, so the application's own would never be reached: {', '.join(taken)}; "
                "move them, or leave the feature out with `ribs`"
            )
        if bare := sorted(_bare(self._app.view_functions)):
            raise Misuse(
                f"these views have a guard that stands before nothing, since it is written above the route's "
                f"decorator: {', '.join(bare)}; write it below"
            )


def _bare(views: Mapping[str, Callable[..., Any]]) -> Iterator[str]:
    """The endpoints whose views were given to Flask first, and to a guard only then."""
    reached: set[int] = set()
    for view in views.values():
        inner: Any = view
        while inner is not None:
            reached.add(id(inner))
            inner = getattr(inner, "__wrapped__", None)
    for endpoint, view in views.items():
        made = _behind.get(view, ())
        if made and not any(id(one) in reached for one in made):
            yield endpoint


def _here() -> tuple[Ostiary, HostVisit]:
    """The request's ostiary, and its visit.

    Raises:
        Misuse: there is no request, or `init_app` was not called on the application that it came to.
    """
    if not has_request_context():
        raise Misuse("a guard of ostiary was asked outside of a request")
    auth: Ostiary | None = current_app.extensions.get(EXTENSION)
    if auth is None:
        raise Misuse(
            "a guard of ostiary was asked, but auth.init_app(app) was not called on this application"
        )
    visit = visit_of(auth.asynchronous, request.environ)
    if visit.request is None:
        visit.request = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - its documented name
        visit.endpoint = f"flask.{request.endpoint}"
    visit.scope["method"] = request.method  # the host may have made another one of it since
    return auth, visit


def _fields() -> Fields:
    return tuple(request.form.items(multi=True))


def _known(name: str, question: Callable[[HostVisit], Any]) -> Any:
    """The answer to a question, asked once in each request: the way to the engine's thread and back costs a little.

    Once for each method and each ostiary that the request meets: other ones owe another check.
    """
    auth, _ = _here()
    answers: dict[Any, Any] = request.environ.setdefault(_ANSWERS, {})
    asked = (auth, request.method, name)
    if asked not in answers:
        answers[asked] = _ask(question)
    return answers[asked]


def _ask(question: Callable[[HostVisit], Any]) -> Any:
    """Answer a question, or answer the request in its place, past the application's error handlers."""
    auth, visit = _here()
    try:
        return auth.ask(visit, _fields, question)
    except (Refused, Unavailable) as error:
        raise HTTPException(response=_answered(error, visit)) from error


def _answered(error: Refused | Unavailable, visit: HostVisit) -> Response:
    answer = refusal(error, visit)
    return current_app.response_class(
        bytes(answer.body), status=answer.status_code, headers=texts(answer.raw_headers)
    )


def _answer(error: Refused | Unavailable) -> Response:
    """The error handler of what is raised past our guards; without a guard it is the application's own affair."""
    visit = known_visit(request.environ)
    if visit is None:
        raise error
    return _answered(error, visit)


class Guard:
    """A demand as a decorator of a view, synchronous or `async def`, and for `guarded`.

    Attributes:
        demand: What is demanded.
    """

    def __init__(self, demand: Demand) -> None:
        self.demand: Final = demand

    def __call__(self, view: View) -> View:
        """The view behind this guard. Write it below the route's decorator."""

        @wraps(view)
        def behind(*args: Any, **kwargs: Any) -> Any:
            _ask(self.demand)
            return current_app.ensure_sync(view)(*args, **kwargs)

        with contextlib.suppress(TypeError):  # what cannot be looked up cannot be a route's either
            _behind.setdefault(view, weakref.WeakSet()).add(behind)
        return cast(View, behind)


def guarded(target: Flask | Blueprint, *guards: Guard, public: Sequence[str] = ()) -> None:
    """Let nothing of an application or a blueprint run unless every guard lets the request pass.

    Args:
        target: Which.
        guards: Such as `requires("notes:read")`; unless given, whoever is signed in may pass.
        public: Paths that anybody may call, with what is below them (``/`` is only itself); those of static files, too.
            No other spelling of a path is public.

    Raises:
        Misuse: something given is no guard, or no path.
    """
    for guard in guards:
        if not hasattr(guard, "demand"):
            raise Misuse(f'guarded takes guards such as requires("notes:read"), not {guard!r}')
    wanted = tuple(guard.demand for guard in guards) or (demands.signed_in(),)
    paths = Prefixes(public)

    def judge() -> None:
        visit = _here()[1]
        if paths.hold(visit.path, visit.scope["raw_path"]):
            return
        for demand in wanted:
            _ask(demand)

    scaffold: Scaffold = target
    scaffold.before_request(judge)
    before = scaffold.before_request_funcs[None]
    before.insert(0, before.pop())  # what the host does before its views, it does for whoever may pass


@overload
def signed_in(view: View) -> View: ...
@overload
def signed_in(view: None = None) -> Guard: ...
def signed_in(view: Any = None) -> Any:
    """Demands that somebody asks, by a live session or an API key: ``@signed_in``, or ``signed_in()`` for `guarded`."""
    guard = Guard(demands.signed_in())
    return guard if view is None else guard(view)


def requires(*permissions: str) -> Guard:
    """Demands every one of some permissions; answers 403 `permission_denied` and names what is missing.

    Args:
        permissions: ``resource:action``, held in general; for one thing ask `current_standing` once you have it.

    Raises:
        Misuse: one of them is no permission.
    """
    return Guard(demands.permissions(*permissions))


def requires_role(*roles: str) -> Guard:
    """Demands any one of some roles, or one that inherits it; held everywhere.

    Prefer `requires`: a permission says what is done, a role who did it on the day when this was written.
    """
    return Guard(demands.roles(*roles))


def requires_fresh(minutes: float, acr: demands.Acr = "own") -> Guard:
    """Demands a recent proof; answers 401 `fresh_authentication_required` (RFC 9470).

    Args:
        minutes: How old the last proof may be.
        acr: What the session must have shown: "own", a second factor if the account has one; "2", a second factor; "1",
            whatever signs in.
    """
    return Guard(demands.fresh(minutes, acr))


def rate_limit(rate: str, by: By = "network", name: str = "") -> Guard:
    """Demands that a view is not called too often; answers 429 with `RateLimit` and `Retry-After` headers.

    Args:
        rate: ``"5/15m"``, ``"30/h"``: so many in a sliding window, counted in the database for all processes.
        by: `network` (an IPv4 address or an IPv6 /64), `account` (401 for whoever is not signed in),
            `caller` (each API key by itself, and people by account), or a function from Flask's request to text or
            several texts. It runs in another thread: use its argument and no proxy.
        name: Guards of one name and rate count together; without one every endpoint counts alone.

    Raises:
        Misuse: the rate, `by` or the name is none.
    """
    return Guard(demands.rate_limit(rate, by, name))


def _held() -> Resolved | None:
    """The live session if a guard, or a name like these, has asked for it: then the engine need not be asked again."""
    return _here()[1].known


def csrf_token() -> str:
    """The CSRF token for this browser's forms, as the hidden field `csrf_token`; "" for whoever is not signed in."""
    if _held() is not None:
        return _here()[1].cookies.csrf or ""
    token: str = _known("csrf_token", HostVisit.csrf_token)
    return token


def _user() -> User:
    held = _held()
    found: User = held.account if held else _known("user", HostVisit.user)
    return found


def _optional() -> User | None:
    held = _held()
    found: User | None = held.account if held else _known("nobody", HostVisit.user_or_nobody)
    return found


def _proxy(find: Callable[[], T]) -> T:
    return cast(T, LocalProxy(find))


# What they stand for is found out when they are first looked at in a request; 401 for nobody, as a guard would answer.
current_user: Final[User] = _proxy(_user)
current_session: Final[Session] = _proxy(lambda: (_held() or _known("session", HostVisit.proven)).session)
current_principal: Final[Principal] = _proxy(
    lambda: (_held() or _known("caller", HostVisit.proven_caller)).principal
)
current_api_key: Final[ApiKey] = _proxy(lambda: _known("key", HostVisit.key))
current_standing: Final[Standing] = _proxy(lambda: _known("standing", HostVisit.standing))
current_profile: Final[Profile] = _proxy(lambda: _known("profile", HostVisit.profile))
# False in a test for whoever is not signed in: write `if optional_user:`, since a proxy is never None itself.
optional_user: Final[User | None] = _proxy(_optional)
