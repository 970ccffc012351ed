"""Owns the frame of the pages that exist only in development, and who may look at them: somebody at this machine."""

from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse

from ostiary.http.settings import is_loopback
from ostiary.http.visit import visit_of
from ostiary.kernel.errors import NOT_FOUND, Refused

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1e24;--faint:#5a6270;--paper:#fff;--line:#dfe2e8;--accent:#2447b5}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaf0;--faint:#a2a9b8;--paper:#15171c;--line:#30343d;--accent:#9db4ff}}
body{margin:0 auto;max-width:46rem;padding:1.5rem 1rem 4rem;font:1rem/1.5 system-ui,sans-serif}
body{color:var(--ink);background:var(--paper);overflow-wrap:anywhere}
h1{font-size:1.4rem;line-height:1.3}h1+p{margin-bottom:1rem}
a{color:var(--accent)}article{border-top:1px solid var(--line);padding:1rem 0}
a:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
h2{font-size:1.05rem;margin:0}p{margin:.2rem 0;color:var(--faint)}ul{margin:.4rem 0;padding-left:1.2rem}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font:.95rem/1.5 ui-monospace,monospace;color:var(--ink)}
pre{border:1px solid var(--line);border-radius:8px;padding:1rem}article pre{border:0;padding:0}
table{border-collapse:collapse}th,td{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top;font-weight:400}
th{font-family:ui-monospace,monospace;color:var(--faint)}
"""


def page(request: Request, title: str, body: str) -> HTMLResponse:
    """A page.

    Args:
        title: Text.
        body: HTML, everything in it escaped.
    """
    nonce = visit_of(request.scope).nonce
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{escape(title)}</title>'
        '<link rel="icon" href="data:,">'
        f'<style nonce="{nonce}">{_STYLE}</style></head><body><main>{body}</main></body></html>'
    )


def mail(request: Request, html: str) -> HTMLResponse:
    """A mail as a mail program shows it: with its own styles, and without anything else that HTML could do."""
    visit_of(request.scope).shows_mail = True
    return HTMLResponse(html)


def refuse_foreigners(request: Request) -> None:
    """Refuse whoever does not ask from this machine for this machine.

    A foreign page whose name is made to resolve to this machine (DNS rebinding) would read the mails of whoever
    develops here; it cannot choose the Host header.

    Raises:
        Refused: `not_found`.
    """
    peer = request.client.host if request.client else ""
    host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
    if not (is_loopback(host) and is_loopback(peer)):
        raise Refused(NOT_FOUND, "a page of development was asked for under a foreign name")
