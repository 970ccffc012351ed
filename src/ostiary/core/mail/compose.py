"""Owns the making of a message out of a template and a context, in the reader's language.

Subject and text are plain, HTML is escaped (L26), and nothing that a user typed can add a header or a recipient.
"""

import logging
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTPUTF8
from typing import Any, Final

from ostiary.core.mail import language as languages
from ostiary.core.mail import sources
from ostiary.core.mail.address import parse_address
from ostiary.core.mail.render import Rendered, Renderer
from ostiary.core.mail.settings import MailSettings
from ostiary.core.mail.sources import HTML, TEXT, Sources
from ostiary.core.mail.template import MailTemplate
from ostiary.core.outbox.outbox import Permanent
from ostiary.kernel.errors import Misuse
from ostiary.kernel.world import World

log: Final = logging.getLogger(__name__)

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_URL: Final = re.compile(r"https?://[^\s<>\"']+")
_WIDEST: Final = 76  # characters of a line of text; longer ones are broken at spaces


@dataclass(frozen=True, slots=True)
class Composed:
    """A mail that is ready to go.

    Attributes:
        id: The left half of the Message-ID.
        to: The one recipient.
        sender: The envelope's sender.
        language: BCP 47 tag.
        subject: One line.
        text: The plain part.
        html: The other part.
        links: The web addresses in the text, in order.
        at: When it was composed.
        message: All of it, as it goes over the wire.
    """

    id: str
    to: str
    sender: str
    language: str
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
        settings: Sender, names, languages and the operator's folder of templates.
        mails: Every template of this engine, by the rib that declares it.
        base_url: Where the hosted pages are, for links in notices (never taken from a request: L08).
        recover_url: Where people choose a new password; "" while no feature offers that.
        mail_sign_in_url: Where people have a link mailed to them instead of a password; "" while none offers that.

    Raises:
        Misuse: a file is missing or broken, or a file in the operator's folder replaces nothing.
    """

    def __init__(
        self,
        world: World,
        settings: MailSettings,
        mails: Mapping[str, Iterable[MailTemplate]],
        base_url: str = "",
        recover_url: str = "",
        mail_sign_in_url: str = "",
    ) -> None:
        self._world = world
        self._settings = settings
        self._sender = settings.sender
        self.mails = _by_path(mails)
        """Every template by its path, such as ``registration/already_registered``."""
        self._paths = {mail.name: path for path, mail in self.mails.items()}
        available = languages.available()
        self.languages = _offered(settings, available)
        """Every language that mails are written in; the first one is for people of whom none is known."""
        surroundings = {
            "site_name": settings.site_name,
            "support_contact": settings.support_contact,
            "base_url": base_url.rstrip("/"),
            "recover_url": recover_url,
            "mail_sign_in_url": mail_sign_in_url,
            "reply_to": settings.reply_to.addr_spec if settings.reply_to else "",
        }
        found = sources.read(self.mails, settings.mail_templates, available)
        packages = [mail.package for mail in self.mails.values()]
        self._renderers = {
            one: Renderer(found, one, languages.catalog(one, packages), surroundings)
            for one in self.languages
        }
        for renderer in self._renderers.values():
            renderer.check(self.mails)
        _warn_of_halves(found, self.mails, self.languages)

    def language_for(self, wishes: str) -> str:
        """The language of ours that suits somebody best.

        Args:
            wishes: An Accept-Language header or a single BCP 47 tag; "" for none.
        """
        return languages.best_match(wishes, self.languages) or self.languages[0]

    def preview(self, template: str, language: str) -> Rendered:
        """What a mail says with its example.

        Raises:
            Misuse: there is no such template.
        """
        return self.render(template, language, self.mails[self._path(template)].example)

    def render(self, template: str, language: str, context: Mapping[str, Any]) -> Rendered:
        """What a mail says.

        Args:
            template: A declared template's name.
            language: One of `languages`.
            context: What the template asks for.

        Raises:
            Misuse: there is no such template.
        """
        rendered = self._renderers[language].render(self._path(template), context)
        return Rendered(rendered.subject, _wrapped(rendered.text), rendered.html)

    def compose(
        self,
        template: str,
        to: str,
        context: Mapping[str, Any],
        message_id: str,
        language: str = "",
    ) -> Composed:
        """The mail.

        Args:
            template: A declared template's name.
            to: The one recipient's address.
            context: What the template asks for.
            message_id: The same for every try to deliver this mail, so that receivers can drop a repetition.
            language: Of the reader; if we have not got it (any more), another one takes its place.

        Raises:
            Permanent: `to` is no address that a mail can go to.
            Misuse: there is no such template.
        """
        self._path(template)
        recipient = parse_address(to)
        if recipient is None:
            raise Permanent("the recipient is no plain mail address")
        language = self.language_for(language)
        said = self.render(template, language, context)
        at = self._world.now()
        # SMTPUTF8 changes nothing while every address is ASCII, except that headers are then written by the transport.
        message = EmailMessage(policy=SMTPUTF8)
        message["From"] = self._sender
        message["To"] = recipient
        if self._settings.reply_to is not None:
            message["Reply-To"] = self._settings.reply_to
        message["Subject"] = said.subject
        message["Date"] = at
        message["Message-ID"] = f"<{message_id}@{self._sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        message["X-Auto-Response-Suppress"] = "All"  # the same, for Exchange
        message.set_content(said.text)
        message.add_alternative(said.html, subtype="html")
        # RFC 3282; at the end, since the lines above take every Content- header for one of a part.
        message["Content-Language"] = language
        return Composed(
            message_id,
            recipient.addr_spec,
            self._sender.addr_spec,
            language,
            said.subject,
            said.text,
            said.html,
            _links(said.text),
            at,
            message,
        )

    def _path(self, template: str) -> str:
        try:
            return self._paths[template]
        except KeyError:
            raise Misuse(
                f"there is no mail template {template!r}: declare it in the manifest's mails"
            ) from None


def _offered(settings: MailSettings, available: tuple[str, ...]) -> tuple[str, ...]:
    offered = settings.locales or available
    if unknown := set(offered) - set(available):
        raise Misuse(f"locales: there is no {', '.join(sorted(unknown))}; there are {', '.join(available)}")
    first = settings.default_locale or offered[0]
    if first not in offered:
        raise Misuse(f"default_locale: {first} is not among {', '.join(offered)}")
    return (first, *(one for one in offered if one != first))


def _wrapped(text: str) -> str:
    """The text with long lines broken at spaces; templates say a paragraph in one line, as translators do."""
    lines: list[str] = []
    for line in text.strip().splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        lines += (
            textwrap.wrap(
                line,
                _WIDEST,
                subsequent_indent=indent,
                drop_whitespace=True,
                break_long_words=False,
                break_on_hyphens=False,
            )
            if len(line) > _WIDEST
            else [line]
        )
    return "\n".join(lines) + "\n"


def _links(text: str) -> tuple[str, ...]:
    return tuple(found.rstrip(".,;:!?)]") for found in _URL.findall(text))


def _by_path(mails: Mapping[str, Iterable[MailTemplate]]) -> dict[str, MailTemplate]:
    found: dict[str, MailTemplate] = {}
    names: set[str] = set()
    for rib, templates in mails.items():
        for template in templates:
            if not _NAME.fullmatch(template.name) or template.name in names:
                raise Misuse(f"mail template {template.name!r}: the name is taken or is no snake_case name")
            names.add(template.name)
            found[f"{rib}/{template.name}"] = template
    return found


def _warn_of_halves(found: Sources, mails: Iterable[str], every: Iterable[str]) -> None:
    halves = {}
    for path in mails:
        for language in every:
            text, html = (found.replacement(path + suffix, language) for suffix in (TEXT, HTML))
            if text is not None and html is None:
                halves[text.path] = f"{path}{HTML}, which most people read,"
            elif html is not None and text is None:
                halves[html.path] = f"{path}{TEXT}"
    for theirs, ours in halves.items():
        log.warning(
            "mail_templates: %s replaces one form of a mail; the other one, %s is still ours", theirs, ours
        )
