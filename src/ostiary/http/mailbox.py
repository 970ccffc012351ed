"""Owns the pages of the development mailbox. They exist only in development: production never mounts them."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ostiary.core.mail.mailbox import Mailbox
from ostiary.http.access import PUBLIC
from ostiary.http.assembly import json_response
from ostiary.http.routing import Hot
from ostiary.http.settings import is_loopback
from ostiary.http.visit import visit_of
from ostiary.kernel.errors import NOT_FOUND, Refused

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1e24;--faint:#5a6270;--paper:#fff;--line:#dfe2e8;--accent:#2447b5}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaf0;--faint:#a2a9b8;--paper:#15171c;--line:#30343d;--accent:#9db4ff}}
body{margin:0 auto;max-width:46rem;padding:1.5rem 1rem 4rem;font:1rem/1.5 system-ui,sans-serif}
body{color:var(--ink);background:var(--paper);overflow-wrap:anywhere}
h1{font-size:1.4rem}a{color:var(--accent)}article{border-top:1px solid var(--line);padding:1rem 0}
h2{font-size:1.05rem;margin:0}p{margin:.2rem 0;color:var(--faint)}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font:.95rem/1.5 ui-monospace,monospace;color:var(--ink)}
"""


def routes(mailbox: Mailbox) -> tuple[Hot, ...]:
    """The two routes that show a mailbox."""

    async def as_json(request: Request) -> Response:
        _refuse_foreign_host(request)
        return json_response(mailbox.messages())

    async def as_page(request: Request) -> Response:
        _refuse_foreign_host(request)
        nonce = visit_of(request.scope).nonce
        mails = "".join(_article(mail) for mail in reversed(mailbox.messages()))
        body = mails or "<p>No mail yet. Whatever ostiary sends in development appears here.</p>"
        return HTMLResponse(
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1"><title>Mailbox</title>'
            '<link rel="icon" href="data:,">'
            f'<style nonce="{nonce}">{_STYLE}</style></head><body><main><h1>Development mailbox</h1>'
            f'<p>Newest first. <a href="/dev/mailbox.json">As JSON</a>.</p>{body}</main></body></html>'
        )

    return (
        Hot("/dev/mailbox", ("GET",), as_page, PUBLIC),
        Hot("/dev/mailbox.json", ("GET",), as_json, PUBLIC),
    )


def _refuse_foreign_host(request: Request) -> None:
    # A foreign page whose name is made to resolve to this machine (DNS rebinding) would read the mails of whoever
    # develops here; it cannot choose the Host header.
    peer = request.client.host if request.client else ""
    host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
    if not (is_loopback(host) and is_loopback(peer)):
        raise Refused(NOT_FOUND, "the mailbox was asked for under a foreign name")


def _article(mail: dict[str, object]) -> str:
    links = "".join(f'<p><a href="{escape(str(link))}">{escape(str(link))}</a></p>' for link in _links(mail))
    return (
        f"<article><h2>{escape(str(mail['subject']))}</h2>"
        f"<p>to {escape(str(mail['to']))} · {escape(str(mail['at']))}</p>"
        f"<pre>{escape(str(mail['text']))}</pre>{links}</article>"
    )


def _links(mail: dict[str, object]) -> list[object]:
    links = mail["links"]
    return list(links) if isinstance(links, list) else []
