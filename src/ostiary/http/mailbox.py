"""Owns the pages of the development mailbox. They exist only in development: production never mounts them."""

from collections.abc import Mapping
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.mail.mailbox import Mailbox
from ostiary.http import development
from ostiary.http.access import PUBLIC
from ostiary.http.assembly import json_response
from ostiary.http.routing import Hot
from ostiary.kernel.errors import NOT_FOUND, Refused


def routes(mailbox: Mailbox) -> tuple[Hot, ...]:
    """The routes that show a mailbox."""

    async def as_json(request: Request) -> Response:
        """The development mailbox as JSON."""
        development.refuse_foreigners(request)
        return json_response(mailbox.messages())

    async def as_page(request: Request) -> Response:
        """The development mailbox as a page."""
        development.refuse_foreigners(request)
        mails = "".join(_article(mail) for mail in reversed(mailbox.messages()))
        body = mails or "<p>No mail yet. Whatever ostiary sends in development appears here.</p>"
        return development.page(
            request,
            "Mailbox",
            '<h1>Development mailbox</h1><p>Newest first. <a href="/dev/mailbox.json">As JSON</a>. '
            f'<a href="/dev/mails">Every kind of mail</a>.</p>{body}',
        )

    async def as_html(request: Request) -> Response:
        """A mail of the development mailbox as a mail program shows it."""
        development.refuse_foreigners(request)
        wanted = request.path_params["id"]
        found = next((mail for mail in mailbox.messages() if mail.get("id") == wanted), None)
        if found is None:
            raise Refused(NOT_FOUND, "no such mail in the mailbox", counted=False)
        return development.mail(request, found["html"])

    return (
        Hot("/dev/mailbox", ("GET",), as_page, PUBLIC),
        Hot("/dev/mailbox.json", ("GET",), as_json, PUBLIC),
        Hot("/dev/mailbox/{id}", ("GET",), as_html, PUBLIC),
    )


def _article(mail: Mapping[str, Any]) -> str:
    subject = escape(mail["subject"])
    links = "".join(f'<p><a href="{escape(link)}">{escape(link)}</a></p>' for link in mail["links"])
    html = (
        f'<p><a href="/dev/mailbox/{escape(mail["id"])}">“{subject}” as HTML</a></p>'
        if mail.get("id")
        else ""
    )
    return (
        f"<article><h2>{subject}</h2><p>to {escape(mail['to'])} · {escape(mail['at'])}</p>"
        f"<pre>{escape(mail['text'])}</pre>{links}{html}</article>"
    )
