"""Owns the settings of mail, and the names that mails and pages carry."""

import re
from dataclasses import dataclass
from datetime import timedelta
from email.headerregistry import Address
from email.utils import getaddresses
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from ostiary.core.mail.address import parse_address
from ostiary.kernel.secret import Secret
from ostiary.kernel.settings import setting

_PORTS = {"starttls": 587, "tls": 465, "opportunistic": 25, "none": 25}
_HELO = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[A-Za-z0-9.:]{1,60}\]", re.ASCII)  # RFC 5321 section 4.1.1.1


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Who sends mails, how, and what they look like."""

    site_name: str = setting("ostiary", doc="What your service is called, in mails and on pages.")
    support_contact: str | None = setting(
        None, doc="Where people get help: an address, a link or a telephone number."
    )
    locales: tuple[str, ...] = setting(
        (), doc="Languages that mails are written in, such as `de, en`; unless given every one that there is."
    )
    default_locale: str | None = setting(
        None, doc="Language for people of whom none is known; unless given the first of `locales`, else `en`."
    )
    mail_from: str | None = setting(
        None, doc='The sender: "no-reply@example.org" or "Example <no-reply@example.org>".'
    )
    mail_reply_to: str | None = setting(
        None, doc="Where answers to our mails go; unless given nobody reads them."
    )
    smtp_host: str | None = setting(None, doc="The mail server that takes our mails.")
    smtp_port: int | None = setting(None, doc="Its port; unless given 587 (starttls), 465 (tls) or 25.")
    smtp_user: str | None = setting(None, doc="User name for the mail server, if it asks for one.")
    smtp_password: Secret | None = setting(None, doc="Password for the mail server.")
    smtp_security: Literal["starttls", "tls", "opportunistic", "none"] = setting(
        "starttls",
        doc="starttls (never falls back to clear text), tls from the first byte, opportunistic (STARTTLS if it is "
        "offered) or none on this machine. Certificates are always checked.",
    )
    smtp_clear_text_ok: bool = setting(
        False,
        doc="Allow opportunistic and none to another machine: whoever reads that network can sign in as anybody. "
        "smtp_password is not sent as clear text even then.",
    )
    smtp_helo_name: str | None = setting(
        None, doc="What we call ourselves to the mail server (EHLO); unless given the domain of mail_from."
    )
    mail_timeout: timedelta = setting(
        timedelta(seconds=20), doc="The longest wait for one answer of the mail server."
    )
    mail_templates: Path | None = setting(
        None, doc="A folder whose files replace mail templates of the same name."
    )

    def __post_init__(self) -> None:
        for name in ("site_name", "support_contact"):
            words = getattr(self, name)
            if words is not None and not (words.strip() and words.isprintable()):
                raise ValueError(f"{name}: must be one line of text")
        if self.mail_from is not None and self._parse_from() is None:
            raise ValueError('mail_from: must be one address, such as "Example <no-reply@example.org>"')
        if self.mail_reply_to is not None and (self.reply_to is None or not self.reply_to.username.isascii()):
            raise ValueError('mail_reply_to: must be one ASCII address, such as "Help <help@example.org>"')
        if self.smtp_host is not None and self.mail_from is None:
            raise ValueError("mail_from: must be given together with smtp_host")
        if self.smtp_port is not None and not 0 < self.smtp_port < 65536:
            raise ValueError("smtp_port: must be 1 to 65535")
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError("smtp_user, smtp_password: give both or neither")
        if not self.mail_timeout:
            raise ValueError("mail_timeout: must be longer than nothing")
        if self.mail_templates is not None and not self.mail_templates.is_dir():
            raise ValueError("mail_templates: must be an existing folder")
        if self.smtp_helo_name is not None and not _HELO.fullmatch(self.smtp_helo_name):
            raise ValueError("smtp_helo_name: must be a host name or an address in brackets")
        if self.smtp_host and self.smtp_security in ("opportunistic", "none") and not self.is_local:
            self._check_clear_text()

    def _check_clear_text(self) -> None:
        if not self.smtp_clear_text_ok:
            raise ValueError(
                f'smtp_security: "{self.smtp_security}" may send links that sign people in as clear text; use '
                "starttls or tls, or set smtp_clear_text_ok if nobody can listen between here and smtp_host"
            )
        if self.smtp_security == "none" and self.smtp_user is not None:
            raise ValueError(
                'smtp_security: "none" would send smtp_password as clear text; use starttls or tls'
            )

    @property
    def is_local(self) -> bool:
        """Whether the mail server is on this machine."""
        return _is_loopback(self.smtp_host or "")

    @property
    def helo_name(self) -> str:
        """What we call ourselves."""
        return self.smtp_helo_name or self.sender.domain

    def _parse_from(self) -> Address | None:
        return _read_address(self.mail_from or "", self.site_name)

    @property
    def sender(self) -> Address:
        """From whom mails come; without `mail_from` (development only) somebody on this machine."""
        return self._parse_from() or Address(self.site_name, "no-reply", "localhost")

    @property
    def port(self) -> int:
        """The mail server's port."""
        return self.smtp_port or _PORTS[self.smtp_security]

    @property
    def reply_to(self) -> Address | None:
        """Where answers go, if anywhere."""
        return _read_address(self.mail_reply_to) if self.mail_reply_to else None


def _read_address(words: str, name: str = "") -> Address | None:
    """One address, with the name that stands before it or else this one; None for anything else."""
    found = getaddresses([words])
    if len(found) != 1:
        return None
    given, address = found[0]
    return parse_address(address, given or name) if given.isprintable() else None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
