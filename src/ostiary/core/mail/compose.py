"""Owns templates and the making of a message out of a template and a context.

Subject and text are plain, HTML is escaped (L26), and nothing that a user typed can add a header or a recipient.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTPUTF8
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import jinja2

from ostiary.core.mail.address import parse_address
from ostiary.core.mail.settings import MailSettings
from ostiary.core.outbox.outbox import Permanent
from ostiary.kernel.errors import Misuse
from ostiary.kernel.world import World, from_micros

_OWN: Final = "ostiary.core.mail"
_SHARED: Final = ("layout.html", "layout.txt", "parts.html")
_SUFFIXES: Final = (".subject.txt", ".txt", ".html")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_URL: Final = re.compile(r"https?://[^\s<>\"']+")
_SUBJECT_LIMIT: Final = 200
_PERSON_LIMIT: Final = 60
# What mail programs turn into something to click or to answer: a dot between letters, a slash, an at sign.
_CLICKABLE: Final = re.compile(r"[/@:\\]|\w\.\w")


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """A kind of mail, declared in a manifest.

    Attributes:
        name: Unique; the files are ``mail/<name>.subject.txt``, ``.txt`` and ``.html`` in the package.
        package: Where the files lie.
        doc: One line for the reference page: when it is sent, and what its context holds.
    """

    name: str
    package: str
    doc: str


LOCKED_MAIL: Final = MailTemplate(
    "account_locked", f"{_OWN}.templates", "Failures locked the account: until, failures, at, ip, device."
)
PASSWORD_DISABLED_MAIL: Final = MailTemplate(
    "password_disabled", f"{_OWN}.templates", "Failures disabled the password: failures, at, ip, device."
)
MAILS: Final = (LOCKED_MAIL, PASSWORD_DISABLED_MAIL)


@dataclass(frozen=True, slots=True)
class Composed:
    """A mail that is ready to go.

    Attributes:
        to: The one recipient.
        sender: The envelope's sender.
        subject: One line.
        text: The plain part.
        html: The other part.
        links: The web addresses in the text, in order.
        at: When it was composed.
        message: All of it, as it goes over the wire.
    """

    to: str
    sender: str
    subject: str
    text: str
    html: str
    links: tuple[str, ...]
    at: datetime
    message: EmailMessage


class Composer:
    """Makes mails out of templates.

    Args:
        world: The clock.
        settings: Sender, names and the operator's folder of templates.
        templates: Every template of this engine.
        base_url: Where the hosted pages are, for links in notices (never taken from a request: L08).
        recover_url: Where people choose a new password; "" while no feature offers that.

    Raises:
        Misuse: a file is missing or broken, or a file in the operator's folder replaces nothing.
    """

    def __init__(
        self,
        world: World,
        settings: MailSettings,
        templates: Iterable[MailTemplate],
        base_url: str = "",
        recover_url: str = "",
    ) -> None:
        self._world = world
        self._sender = settings.sender
        self.names = frozenset(_checked_names(declared := tuple(templates)))
        sources = _sources(declared)
        replaced = _replacements(settings.mail_templates, sources.keys())
        self._jinja = jinja2.Environment(
            loader=jinja2.DictLoader(sources | replaced),
            autoescape=jinja2.select_autoescape(("html",), default=False),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._jinja.filters |= {"moment": moment, "person": person}
        self._jinja.globals |= {
            "site_name": settings.site_name,
            "support_contact": settings.support_contact,
            "base_url": base_url.rstrip("/"),
            "recover_url": recover_url,
        }
        for name in replaced:
            try:
                self._jinja.get_template(name)
            except jinja2.TemplateError as error:
                raise Misuse(f"mail_templates: {name} is no valid template: {error}") from error

    def compose(self, template: str, to: str, context: Mapping[str, Any], message_id: str) -> Composed:
        """The mail.

        Args:
            template: A declared template's name.
            to: The one recipient's address.
            context: What the template asks for.
            message_id: The same for every try to deliver this mail, so that receivers can drop a repetition.

        Raises:
            Permanent: `to` is no address that a mail can go to.
            Misuse: there is no such template.
        """
        if template not in self.names:
            raise Misuse(f"there is no mail template {template!r}")
        recipient = parse_address(to)
        if recipient is None:
            raise Permanent("the recipient is no plain mail address")
        subject = one_line(self._render(f"{template}.subject.txt", context), _SUBJECT_LIMIT)
        within = {**context, "subject": subject}
        text = self._render(f"{template}.txt", within).strip() + "\n"
        html = self._render(f"{template}.html", within)
        at = self._world.now()
        # SMTPUTF8 changes nothing while every address is ASCII, except that headers are then written by the transport.
        message = EmailMessage(policy=SMTPUTF8)
        message["From"] = self._sender
        message["To"] = recipient
        message["Subject"] = subject
        message["Date"] = at
        message["Message-ID"] = f"<{message_id}@{self._sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        message["X-Auto-Response-Suppress"] = "All"  # the same, for Exchange
        message.set_content(text)
        message.add_alternative(html, subtype="html")
        return Composed(
            recipient.addr_spec, self._sender.addr_spec, subject, text, html, _links(text), at, message
        )

    def _render(self, name: str, context: Mapping[str, Any]) -> str:
        return self._jinja.get_template(name).render(context)


def one_line(words: str, limit: int) -> str:
    """The words in one line, fit for a header: every kind of line break and control character becomes a space.

    Words that look encoded (RFC 2047) are broken up: the standard library decodes them when it folds a header, and
    writes the line breaks that they contain.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return line.replace("=?", "= ?")[:limit].rstrip()


def person(name: object) -> str:
    """A name that a user chose, fit for a mail that we send; "" if a mail program could make a link of it.

    Whoever registers somebody else's address chooses the name, and would like our mail to carry his words.
    """
    words = one_line(str(name or ""), _PERSON_LIMIT + 1)
    return "" if len(words) > _PERSON_LIMIT or _CLICKABLE.search(words) else words


def moment(value: int | str | datetime) -> str:
    """A moment in words, in UTC: stored microseconds, ISO 8601 (what JSON makes of a datetime), or a datetime."""
    if isinstance(value, int):
        value = from_micros(value)
    elif isinstance(value, str):
        value = datetime.fromisoformat(value)
    value = value.astimezone(UTC)
    return f"{value.day} {value:%B %Y, %H:%M} UTC"


def _links(text: str) -> tuple[str, ...]:
    return tuple(found.rstrip(".,;:!?)]") for found in _URL.findall(text))


def _checked_names(templates: Iterable[MailTemplate]) -> list[str]:
    names: list[str] = []
    for template in templates:
        if not _NAME.fullmatch(template.name) or template.name in ("layout", "parts", *names):
            raise Misuse(f"mail template {template.name!r}: the name is taken or is no snake_case name")
        names.append(template.name)
    return names


def _sources(templates: Iterable[MailTemplate]) -> dict[str, str]:
    shared = files(_OWN) / "templates"
    sources = {name: (shared / name).read_text("utf-8") for name in _SHARED}
    for template in templates:
        folder = files(template.package) / "mail"
        for suffix in _SUFFIXES:
            file = folder / f"{template.name}{suffix}"
            if not file.is_file():
                raise Misuse(f"mail template {template.name!r}: {template.package} has no mail/{file.name}")
            sources[f"{template.name}{suffix}"] = file.read_text("utf-8")
    return sources


def _replacements(folder: Path | None, known: Iterable[str]) -> dict[str, str]:
    if folder is None:
        return {}
    given = {path.name: path for path in sorted(folder.iterdir()) if path.suffix in (".txt", ".html")}
    if unknown := given.keys() - set(known):
        raise Misuse(f"mail_templates: {sorted(unknown)} replace no template; known are {sorted(known)}")
    return {name: path.read_text("utf-8") for name, path in given.items()}
