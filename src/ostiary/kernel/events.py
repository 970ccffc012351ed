"""Owns event types, their traits, and events: the facts that the journal keeps and subscribers react to."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

Value = str | int | bool | None | list[str]


class Severity(StrEnum):
    """How loudly an operator wants to hear of it."""

    INFO = "info"
    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class EventType:
    """A kind of event, declared once as a constant.

    Attributes:
        name: Stable, `noun_verb`, e.g. ``session_created``.
        doc: One line for the reference page.
        severity: How loudly it is reported.
        fields: Names of the values it may carry; secrets never are among them.
        ends_sessions: Sessions of the account end in the same transaction.
        ends_trust: No device of the account is spared the second step any more.
        changes_rights: What the account may do is another from now on; its tokens are stale.
        tell_owner: The account's owner is told by mail.
        words: The sentence by which the owner recognises it in the account's activity, with fields in braces:
            "Signed in with {amr}."; "" for what is no owner's business, or is said by another event.
        at_every_address: Told at every proven address, not only at the primary one. Not for what a stranger can cause
            for an address that he guesses: how many addresses there are would show (L16).
    """

    name: str
    doc: str
    severity: Severity = Severity.INFO
    fields: tuple[str, ...] = ()
    ends_sessions: bool = False
    ends_trust: bool = False
    changes_rights: bool = False
    tell_owner: bool = False
    words: str = ""
    at_every_address: bool = False

    def __call__(self, account_id: str | None = None, **data: Value) -> "Event":
        """An event of this kind.

        Raises:
            TypeError: `data` has a name that the type does not declare.
        """
        if extra := data.keys() - set(self.fields):
            raise TypeError(f"event {self.name!r} has no field {sorted(extra)}; declared are {self.fields}")
        return Event(self, account_id, data)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an account (or to none).

    Attributes:
        type: Its kind.
        account_id: Whom it concerns; None when no account is known, e.g. a failed sign-in.
        data: Values of the type's declared fields.
        carried: What subscribers need and the journal must not keep.
    """

    type: EventType
    account_id: str | None = None
    data: Mapping[str, Value] = field(default_factory=dict)
    carried: Any = None

    def carrying(self, what: Any) -> "Event":
        """The same event with something for its subscribers that is written nowhere."""
        return replace(self, carried=what)
