"""Owns the preview of every kind of mail, in every language and form, with its example. Only in development."""

from html import escape
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.mail.compose import Composer
from ostiary.core.mail.template import MailTemplate
from ostiary.http import development
from ostiary.http.access import PUBLIC
from ostiary.http.routing import Hot
from ostiary.kernel.errors import NOT_FOUND, Refused

_LIST: Final = "/dev/mails"


def routes(composer: Composer) -> tuple[Hot, ...]:
    """The routes that show what mails look like."""

    async def every(request: Request) -> Response:
        """Every kind of mail, with a link to each language and form."""
        development.refuse_foreigners(request)
        body = "".join(_article(composer, path) for path in sorted(composer.mails))
        return development.page(
            request,
            "Mails",
            "<h1>Every kind of mail</h1><p>With the values of its example, and with the templates that replace ours. "
            f'<a href="/dev/mailbox">What was sent</a> is in the mailbox.</p>{body}',
        )

    async def one(request: Request) -> Response:
        """A mail's subject and text, and what its templates may use."""
        language, path, template = _asked(composer, request)
        said = composer.preview(template.name, language)
        others = " · ".join(
            f'<a href="{_LIST}/{other}/{path}" lang="{other}" hreflang="{other}">{other}</a>'
            for other in composer.languages
            if other != language
        )
        return development.page(
            request,
            said.subject,
            f'<p><a href="{_LIST}">Every kind of mail</a></p><h1 lang="{language}">{escape(said.subject)}</h1>'
            f"<p>{escape(path)} · {language}{' · ' if others else ''}{others}</p><p>{_doc(template)}</p>"
            f'<p><a href="{_LIST}/{language}/{path}/html">As HTML</a></p>'
            f'<pre lang="{language}">{escape(said.text)}</pre>{_variables(template)}',
        )

    async def html(request: Request) -> Response:
        """A mail's HTML form, as a mail program shows it."""
        language, _, template = _asked(composer, request)
        return development.mail(request, composer.preview(template.name, language).html)

    return (
        Hot(_LIST, ("GET",), every, PUBLIC),
        Hot(_LIST + "/{language}/{rib}/{name}", ("GET",), one, PUBLIC),
        Hot(_LIST + "/{language}/{rib}/{name}/html", ("GET",), html, PUBLIC),
    )


def _asked(composer: Composer, request: Request) -> tuple[str, str, MailTemplate]:
    """Language, path and template that a request names."""
    development.refuse_foreigners(request)
    language, path = request.path_params["language"], "{rib}/{name}".format_map(request.path_params)
    template = composer.mails.get(path)
    if template is None or language not in composer.languages:
        raise Refused(NOT_FOUND, "no such mail, or not in this language", counted=False)
    return language, path, template


def _article(composer: Composer, path: str) -> str:
    template = composer.mails[path]
    lines = "".join(_line(composer, path, language) for language in composer.languages)
    return f"<article><h2>{escape(path)}</h2><p>{_doc(template)}</p><ul>{lines}</ul></article>"


def _line(composer: Composer, path: str, language: str) -> str:
    subject = escape(composer.preview(composer.mails[path].name, language).subject)
    link = f"{_LIST}/{language}/{path}"
    return (
        f'<li>{language}: <a href="{link}" lang="{language}">{subject}</a>, '
        f'<a href="{link}/html">{escape(path)} in {language} as HTML</a></li>'
    )


def _doc(template: MailTemplate) -> str:
    """Its line of documentation, with what is code in it."""
    words = escape(template.doc).split("`")
    return "".join(f"<code>{word}</code>" if place % 2 else word for place, word in enumerate(words))


def _variables(template: MailTemplate) -> str:
    if not template.example:
        return "<h2>Variables</h2><p>None of its own.</p>"
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(_value(value))}</td></tr>'
        for name, value in template.example.items()
    )
    return f"<h2>Variables</h2><table>{rows}</table>"


def _value(value: Any) -> str:
    return str(value) if value != "" else "(empty)"
