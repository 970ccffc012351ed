"""Owns the profile: the fields that a host declares, what may stand in them, and reading and changing them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from ostiary.core.accounts import store
from ostiary.core.accounts.accounts import Account
from ostiary.core.accounts.line import read_line
from ostiary.core.change import Change
from ostiary.kernel.errors import INVALID_REQUEST, Refused
from ostiary.kernel.events import EventType
from ostiary.storage.database import Reads

Value = str | int | bool
Kind = Literal["text", "number", "flag"]

CHANGED: Final = EventType(
    "profile_changed",
    "Name or profile fields of an account were changed; `by`: owner or application.",
    fields=("fields", "by"),
    words="Your profile was changed.",
)
EVENTS: Final = (CHANGED,)
LONGEST_NAME: Final = 200

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_RANGE: Final = re.compile(r"(-?[0-9]{1,15})\.\.(-?[0-9]{1,15})", re.ASCII)
_LONGEST: Final = 1000
_MOST: Final = 10**15


@dataclass(frozen=True, slots=True)
class ProfileField:
    """A field that a host keeps about each account.

    In the settings it is written in words, the name first: ``city``, ``city text 80``, ``born number 1900..2030``,
    ``news flag``, ``plan text read-only``.

    Attributes:
        name: Its name in JSON: snake_case, at most 40 characters.
        kind: One line of text, a whole number, or a flag (yes or no).
        longest: Of a text: most characters, 1 to 1000.
        least: Of a number.
        most: Of a number.
        read_only: Only the application changes it; the owner sees it.
        label: What the page calls it; made from the name unless given.
    """

    name: str
    kind: Kind = "text"
    longest: int = 200
    least: int = -_MOST
    most: int = _MOST
    read_only: bool = False
    label: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError("the name of a profile field is snake_case, of at most 40 characters")
        if self.kind not in ("text", "number", "flag"):
            raise ValueError(f"{self.name} is text, number or flag")
        if not 1 <= self.longest <= _LONGEST:
            raise ValueError(f"{self.name} has 1 to {_LONGEST} characters")
        if not -_MOST <= self.least <= self.most <= _MOST:
            raise ValueError(f"{self.name} has a range that holds no number, or one beyond 10^15")

    @classmethod
    def parse(cls, words: str) -> "ProfileField":
        """Read the words of a field.

        Raises:
            ValueError: they are none; the message says what is expected.
        """
        name, *rest = words.split() or [""]
        given: dict[str, Any] = {}
        for word in rest:
            span = _RANGE.fullmatch(word)
            if word in ("text", "number", "flag"):
                given["kind"] = word
            elif word == "read-only":
                given["read_only"] = True
            elif span is not None and given.get("kind") == "number":
                given |= {"least": int(span[1]), "most": int(span[2])}
            elif _LIMIT.fullmatch(word) and given.get("kind") == "text":
                given["longest"] = int(word)
            else:
                raise ValueError(
                    'a profile field is written "city", "city text 80", "born number 1900..2030", "news flag" '
                    'or "plan text read-only"'
                )
        return cls(name, **given)

    @property
    def title(self) -> str:
        """What people read."""
        return self.label or self.name.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known about an account beyond its identifiers.

    Attributes:
        name: Display name; may be empty.
        values: Of the declared fields that are filled in.
    """

    name: str
    values: Mapping[str, Value]


def judge(fields: Sequence[ProfileField], given: Mapping[str, object], *, by_owner: bool) -> dict[str, Any]:
    """What to store of what was given: values in order, and None for those to be emptied. Pure.

    Raises:
        Refused: `invalid_request` with every mistake; a field that is not declared, or not the owner's to change, is
            one of them (S-E3).
    """
    open_ = {field.name: field for field in fields if not (by_owner and field.read_only)}
    kept: dict[str, Any] = {}
    mistakes: list[dict[str, Any]] = []
    for name, value in given.items():
        try:
            kept[name] = _read(open_.get(name), value)
        except ValueError as error:
            mistakes.append({"loc": ["profile", name[:40]], "message": str(error), "type": "profile"})
    if mistakes:
        raise Refused(INVALID_REQUEST, "profile", details={"errors": mistakes}, counted=False)
    return kept


def _read(field: ProfileField | None, value: object) -> Value | None:
    if field is None:
        raise ValueError("There is no such field that you can change.")
    if value is None:
        return None
    match field.kind:
        case "text" if isinstance(value, str):
            return read_line(value, field.longest) or None
        case "number" if isinstance(value, int) and not isinstance(value, bool):
            if not field.least <= value <= field.most:
                raise ValueError(f"Choose a number from {field.least} to {field.most}.")
            return value
        case "flag" if isinstance(value, bool):
            return value
    raise ValueError(
        {"text": "Enter text.", "number": "Enter a whole number.", "flag": "Say yes or no."}[field.kind]
    )


def read_name(typed: str) -> str:
    """A display name as it is stored.

    Raises:
        Refused: `invalid_request`; it is too long, or more than a line.
    """
    try:
        return read_line(typed, LONGEST_NAME)
    except ValueError as error:
        mistake = {"loc": ["name"], "message": str(error), "type": "name"}
        raise Refused(INVALID_REQUEST, "name", details={"errors": [mistake]}, counted=False) from None


async def find(reads: Reads, fields: Sequence[ProfileField], account_id: str) -> Profile | None:
    """The profile of an account; None when there is no such account."""
    row = await reads.one(store.PROFILE, id=account_id)
    return None if row is None else _profile(fields, row)


def _profile(fields: Sequence[ProfileField], row: store.ProfileRow) -> Profile:
    stored = orjson.loads(row.profile)
    # What is stored of a field that is declared no more, or declared as another kind now, stays there and is not shown.
    shown = {field.name: stored[field.name] for field in fields if _fits(field, stored.get(field.name))}
    return Profile(row.name, shown)


def _fits(field: ProfileField, value: object) -> bool:
    kinds = {"text": str, "number": int, "flag": bool}
    return isinstance(value, kinds[field.kind]) and isinstance(value, bool) == (field.kind == "flag")


async def save(
    change: Change,
    fields: Sequence[ProfileField],
    account: Account,
    values: Mapping[str, Any],
    *,
    name: str | None = None,
    by: Literal["owner", "application"],
) -> Profile:
    """Change what differs, and nothing else.

    Args:
        account: Its row is locked by this change, so that concurrent changes of other fields wait.
        values: What `judge` made of them.
        name: A new display name, from `read_name`; None leaves it.
    """
    row = await change.one(store.PROFILE, id=account.id)
    assert row is not None
    stored: dict[str, Any] = orjson.loads(row.profile)
    changed = [field for field, value in values.items() if stored.get(field) != value]
    if name is not None and name != account.name:
        changed.insert(0, "name")
    if changed:
        stored |= values
        kept = {field: value for field, value in stored.items() if value is not None}
        row = store.ProfileRow(account.name if name is None else name, orjson.dumps(kept).decode())
        await change.run(
            store.SAVE_PROFILE,
            of_account=account.id,
            new_name=row.name,
            new_profile=row.profile,
            now=change.micros,
        )
        await change.emit(CHANGED(account.id, fields=changed, by=by))
    return _profile(fields, row)
