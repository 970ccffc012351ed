"""Owns `MailTemplate`: what a kind of mail declares about itself, and the core's own mails."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_MOMENT: Final = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
ORIGIN_EXAMPLE: Final[Mapping[str, Any]] = {
    "at": _MOMENT,
    "ip": "203.0.113.7",
    "device": "Firefox 131 on Windows",
}
"""Where a request came from. Notices to owners hold these besides the fields of their event."""


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """A kind of mail, declared in a manifest.

    Attributes:
        name: Unique; the files are ``mail/<name>.subject.txt``, ``.txt`` and ``.html`` in the package.
        package: Where the files lie, and its translations (``mail/<language>.po``).
        doc: One line for the reference page: when it is sent.
        example: A value for everything that its context holds. Its names are all that the templates may use, also an
            operator's; its values stand in the preview, and every language is rendered with them in the tests.
    """

    name: str
    package: str
    doc: str
    example: Mapping[str, Any]


LOCKED_MAIL: Final = MailTemplate(
    "account_locked",
    "ostiary.core.mail.templates",
    "Failures locked the account.",
    {"failures": 5, "until": _MOMENT + timedelta(minutes=1), **ORIGIN_EXAMPLE},
)
PASSWORD_DISABLED_MAIL: Final = MailTemplate(
    "password_disabled",
    "ostiary.core.mail.templates",
    "Failures disabled the password.",
    {"failures": 100, **ORIGIN_EXAMPLE},
)
FACTOR_ADDED_MAIL: Final = MailTemplate(
    "factor_added",
    "ostiary.core.mail.templates",
    "A second factor was added; `spares` is how many backup codes came along.",
    {"factor": "totp", "name": "Phone", "spares": 10, **ORIGIN_EXAMPLE},
)
FACTOR_REMOVED_MAIL: Final = MailTemplate(
    "factor_removed",
    "ostiary.core.mail.templates",
    "A second factor was removed; `left` are the kinds that are left.",
    {"factor": "totp", "name": "Phone", "left": [], **ORIGIN_EXAMPLE},
)
FACTORS_RESET_MAIL: Final = MailTemplate(
    "factors_reset",
    "ostiary.core.mail.templates",
    "An operator removed every second factor.",
    ORIGIN_EXAMPLE,
)
REFRESH_TOKEN_REUSED_MAIL: Final = MailTemplate(
    "refresh_token_reused",
    "ostiary.core.mail.templates",
    "A refresh token was used twice; its session was ended.",
    ORIGIN_EXAMPLE,
)
SIGN_IN_DISOWNED_MAIL: Final = MailTemplate(
    "sign_in_disowned",
    "ostiary.core.mail.templates",
    "To every address: somebody said by a link that a sign-in was not theirs, so everything ended.",
    ORIGIN_EXAMPLE,
)
TEST_MAIL: Final = MailTemplate(
    "test_mail", "ostiary.core.mail.templates", "By `ostiary mail test`, to see whether mails arrive.", {}
)
MAILS: Final = (
    LOCKED_MAIL,
    PASSWORD_DISABLED_MAIL,
    FACTOR_ADDED_MAIL,
    FACTOR_REMOVED_MAIL,
    FACTORS_RESET_MAIL,
    REFRESH_TOKEN_REUSED_MAIL,
    SIGN_IN_DISOWNED_MAIL,
    TEST_MAIL,
)
