"""Owns the hosted pages' common ground: the Jinja environment, the two layouts, refusals as pages, the notes.

Every template is escaped, a missing name is an error, and nothing inline runs: style sheet and script are files with
this response's nonce. A rib's templates lie in its own folder and extend `layout.html` or `account.html` from here.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qsl, quote

import jinja2
import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ostiary.core.keys.ring import purpose
from ostiary.core.mail.settings import MailSettings
from ostiary.core.mail.words import ENGLISH
from ostiary.core.sessions.sessions import Resolved
from ostiary.http.access import PUBLIC
from ostiary.http.assets import PREFIX, plain_name
from ostiary.http.cookies import Header
from ostiary.http.csrf import csrf_token, is_csrf_token
from ostiary.http.entrance import csrf_cookie, lapsed, signed_in, whose
from ostiary.http.problems import Problem
from ostiary.http.redirects import safe_next
from ostiary.http.routing import Hot
from ostiary.http.settings import parse_base_url
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import FRESH_REQUIRED, NOT_FOUND, Refused

NOTE: Final = purpose(
    "page_note",
    "Seals what one page tells the next across a redirect, such as an address.",
    kept_for=timedelta(hours=1),
)
LOGIN: Final = "/login"
# Where the code from a mail is typed, and the note that tells that page the address: whoever has a mail sent leaves it.
CHECK: Final = "/signup/check"
MAILED: Final = "mailed"

_OWN: Final = "ostiary.http"
_NOTE_LIFETIME: Final = timedelta(minutes=30)
_LONGEST_NEXT: Final = 800  # what still fits into the note's cookie beside an attempt
_YEAR: Final = "public, max-age=31536000, immutable"
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)

# Heading and sentence of a refusal that is a page of its own; any other code says its title.
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "csrf_failed": (
        "Please try that again",
        (
            "We could not tell that this came from our own page, so nothing was changed. It may have been open "
            "for long, or you signed in or out in another window."
        ),
    ),
    "too_many_attempts": (
        "Too many tries",
        "To keep accounts safe, we stop for a while after several tries.",
    ),
    "account_locked": ("Too many tries", "To keep accounts safe, we stop for a while after several tries."),
    "unavailable": (
        "We will be right back",
        "Something that we depend on does not answer. Nothing was changed.",
    ),
    "network_refused": (
        "Not from here",
        "This place may not be used from the network that you are in. Try another one, such as the one at work.",
    ),
    "not_found": ("Nothing is here", "The page has moved, or it is not yours."),
    "internal_error": ("Something went wrong", "This is our mistake, not yours."),
}


def _load(name: str) -> str | None:
    package, _, file = name.rpartition("/")
    try:
        return (files(package or _OWN) / "templates" / file).read_text("utf-8")
    except (FileNotFoundError, ModuleNotFoundError):
        return None


def in_words(duration: timedelta) -> str:
    """How long somebody waits: "30 seconds", "5 minutes", "1 hour"; rounded up."""
    unit, name = next(
        (size, word)
        for size, word in (
            (_DAY, "day"),
            (_HOUR, "hour"),
            (_MINUTE, "minute"),
            (timedelta(seconds=1), "second"),
        )
        if duration >= size or word == "second"
    )
    count = max(1, -(-duration // unit))
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def ago(at: datetime, now: datetime) -> str:
    """When something happened, as people say it; older than two days the moment itself."""
    passed = now - at
    if passed < _MINUTE:
        return "just now"
    if passed >= 2 * _DAY:
        return ENGLISH.moment(at)
    unit, name = (_MINUTE, "minute") if passed < _HOUR else (_HOUR, "hour")
    if passed >= _DAY:
        return "yesterday"
    count = passed // unit
    return f"{count} {name} ago" if count == 1 else f"{count} {name}s ago"


def sentence(words: str) -> str:
    """The words as a sentence begins: nothing but the first letter changes."""
    return words[:1].upper() + words[1:]


def in_fours(key: str) -> str:
    """A key as people type it: in groups of four."""
    return " ".join(key[at : at + 4] for at in range(0, len(key), 4))


def contact_link(contact: str) -> str | None:
    """What a support contact links to: an address or an https page; other words stay words."""
    if contact.startswith("https://"):
        return contact
    return f"mailto:{contact}" if "@" in contact and " " not in contact else None


def with_next(path: str, destination: str) -> str:
    """A path that carries `next` along."""
    return f"{path}?next={quote(destination, safe='/')}" if destination else path


_jinja: Final = jinja2.Environment(
    loader=jinja2.FunctionLoader(_load),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_jinja.filters |= {
    "ago": ago,
    "sentence": sentence,
    "moment": ENGLISH.moment,
    "in_words": in_words,
    "in_fours": in_fours,
    "contact_link": contact_link,
    "with_next": with_next,
}


def render(
    visit: Visit, template: str, status: int = 200, headers: Iterable[Header] = (), **context: Any
) -> Response:
    """A page without forms that need a session.

    Args:
        template: ``package/file``; without a package one of ours.
        context: What the template asks for.
    """
    edge = visit.edge
    mail = edge.core.settings.of(MailSettings)
    given = {
        "shell": edge.shell,
        "site_name": mail.site_name,
        "support_contact": mail.support_contact,
        "nonce": visit.nonce,
        "now": edge.core.world.now(),
        "csrf": "",
        "who": None,
        "notice": "",
    }
    response = HTMLResponse(_jinja.get_template(template).render(given | context), status)
    response.raw_headers.extend(headers)
    return response


async def page(
    visit: Visit, template: str, status: int = 200, headers: Iterable[Header] = (), **context: Any
) -> Response:
    """A page whose forms work, whether or not the visitor is signed in: `csrf` and `who` are in its context."""
    who = await signed_in(visit)
    # Also for whoever may do nothing but sign out.
    token, cookies = _token(visit, who or await whose(visit) or await lapsed(visit))
    core = visit.edge.core
    lacks = await core.factors.missing_from(core.database, who.account.id) if who else None
    given = {"who": who, "csrf": token, "needs_factor_from": lacks}
    return render(visit, template, status, (*headers, *cookies), **(given | context))


def _token(visit: Visit, who: Resolved | None) -> tuple[str, list[Header]]:
    """The token for this page's forms, and the cookie that it must equal where the browser has none or a wrong one."""
    if who is None:
        return "", []
    ring, session, cookie = visit.edge.core.ring, who.session, visit.cookies.csrf
    if cookie is not None and is_csrf_token(ring, session.id, cookie, cookie):
        return cookie, []
    return csrf_token(ring, session.id), [csrf_cookie(visit, session)]


def see(location: str, headers: Iterable[Header] = ()) -> Response:
    """Go and look there (303): after every change, so that reloading repeats nothing."""
    response = Response(status_code=303, headers={"location": location})
    response.raw_headers.extend(headers)
    return response


def may_go(visit: Visit, raw: str) -> str:
    """Where `next` leads, if it may; else ""."""
    return safe_next(raw, visit.edge.settings.after_sign_in) or ""


def allow_redirect(visit: Visit, destination: str) -> None:
    """Let this page's form end at a registered destination: Chromium holds redirects to form-action, too."""
    path, _, query = destination.partition("?")
    if path == LOGIN:  # and from there, once somebody is signed in
        destination = may_go(visit, dict(parse_qsl(query)).get("next", ""))
    if destination.startswith("http"):
        scheme, _, rest = destination.partition("://")
        visit.may_submit_to(parse_base_url(f"{scheme}://{rest.partition('/')[0].partition('?')[0]}").origin)


def leave_note(visit: Visit, kind: str, **told: Any) -> Header:
    """The cookie that tells the next page something that does not belong into an address."""
    if len(told.get("next", "")) > _LONGEST_NEXT:
        told["next"] = ""
    until = (visit.edge.core.world.now() + _NOTE_LIFETIME).timestamp()
    sealed = visit.edge.core.ring.seal(NOTE, orjson.dumps({"until": until, **told}), kind)
    return visit.edge.cookies.set_note(sealed, _NOTE_LIFETIME)


def read_note(visit: Visit, kind: str) -> dict[str, Any]:
    """What the page before has told; empty when it told nothing, something else, or too long ago."""
    sealed = visit.cookies.note
    plain = visit.edge.core.ring.open_sealed(NOTE, sealed, kind) if sealed else None
    if plain is None:
        return {}
    told: dict[str, Any] = orjson.loads(plain)
    return told if visit.edge.core.world.now().timestamp() < told["until"] else {}


def query_of(request: Request, name: str) -> str:
    """A query parameter; "" when it is missing or there are several."""
    values = request.query_params.getlist(name)
    return values[0] if len(values) == 1 else ""


def page_problem(visit: Visit, problem: Problem) -> Response:
    """A refusal as a page: what happened, what to do, whom to ask, and a way on."""
    heading, words = _WORDS.get(problem.code.name, (problem.code.title, ""))
    wait = problem.body.get("retry_after")
    context = {
        "heading": heading,
        "sentence": words,
        "wait": timedelta(seconds=wait) if wait else None,
        "again": "" if problem.code is NOT_FOUND else visit.path,
        "reference": visit.request_id if problem.status >= 500 else "",
    }
    return render(visit, "problem.html", problem.status, problem.headers, **context)


def account_problem(visit: Visit, problem: Problem) -> Response:
    """As `page_problem`, but whoever is not signed in, or too long ago, goes to sign in, and then comes back."""
    return sign_in_first(visit, problem) or page_problem(visit, problem)


def sign_in_first(visit: Visit, problem: Problem) -> Response | None:
    """The way to the sign-in page, and from there back to this one; None when signing in would not help."""
    if problem.status != 401 or not visit.edge.shell.has(LOGIN):
        return None
    target = quote(visit.path, safe="/")
    if visit.scope["method"] in {"GET", "HEAD"} and visit.scope["query_string"]:
        target += "?" + visit.scope["query_string"].decode("latin-1")
    location = with_next(LOGIN, safe_next(target) or "")
    if problem.code is FRESH_REQUIRED:
        location += ("&" if "?" in location else "?") + "again=1"
    return see(location)


async def asset(request: Request) -> Response:
    """A style sheet, script or image of the pages; its name changes with its content."""
    assets = visit_of(request.scope).edge.shell.assets
    found = assets.get(plain_name(request.path_params["file"]))
    if found is None:
        raise Refused(NOT_FOUND, "no such asset", counted=False)
    # Another hash is another release's, met while servers are replaced one by one: ours will do, but is not kept.
    kept = _YEAR if found.path == PREFIX + request.path_params["file"] else "no-store"
    return Response(found.content, headers={"content-type": found.kind, "cache-control": kept})


ROUTES: Final = (Hot(PREFIX + "{file}", ("GET",), asset, PUBLIC),)
