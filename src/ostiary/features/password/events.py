"""Owns the events and error codes of changing and recovering passwords."""

from typing import Final

from ostiary.kernel.errors import code
from ostiary.kernel.events import EventType, Severity

RESET_INVALID: Final = code(
    "password_reset_invalid",
    400,
    "This link does not work (any more).",
    "It is wrong, expired, was used, a newer one was sent, or the account has changed since. Ask for a new mail with "
    "`/auth/password/forgot`.",
)
REQUESTED: Final = EventType(
    "password_reset_requested",
    "Somebody asked for a link to choose a new password; `outcome`: mailed, nobody (no account that may have one) or "
    "too_many (the address's limit); `by`: owner, operator or alarm (a link that said `this was not me`).",
    fields=("outcome", "by"),
    words="A link to choose a new password was asked for.",
)
RESET_FAILED: Final = EventType(
    "password_reset_failed", "A wrong or spent link to choose a new password.", Severity.NOTICE
)
RESET: Final = EventType(
    "password_reset",
    "A new password was chosen by a link from a mail; every session ended.",
    Severity.NOTICE,
    ends_sessions=True,
    tell_owner=True,
    words="A new password was chosen with a link from a mail.",
    at_every_address=True,
)
CHANGED: Final = EventType(
    "password_changed",
    "The password was changed by whoever was signed in; every other session ended. `by`: password or fresh_sign_in.",
    Severity.NOTICE,
    ("by",),
    ends_trust=True,
    tell_owner=True,
    words="Your password was changed.",
    at_every_address=True,
)
CHANGE_FAILED: Final = EventType(
    "password_change_failed",
    "A wrong current password, from a signed-in session.",
    Severity.NOTICE,
    words="Somebody who was signed in typed a wrong current password.",
)
EVENTS: Final = (REQUESTED, RESET_FAILED, RESET, CHANGED, CHANGE_FAILED)
