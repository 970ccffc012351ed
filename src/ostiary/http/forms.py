"""Owns what pages read from a submitted form, and what is wrong with it, field by field."""

from collections.abc import Iterable, Mapping
from typing import Any

from ostiary.kernel.errors import Refused
from ostiary.kernel.secret import Secret


class Form:
    """A form as it was submitted, or an empty one.

    A field that came twice counts as absent, so that nobody chooses which of the two is believed. What was typed is
    shown again, except for secrets.

    Args:
        fields: As parsed from the body.
    """

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, str] = {}
        repeated: set[str] = set()
        for name, value in fields:
            if name in self._values:
                repeated.add(name)
            self._values[name] = value
        for name in repeated:
            del self._values[name]
        self.errors: dict[str, list[str]] = {}

    def value(self, name: str) -> str:
        """What was typed; "" when the field is missing."""
        return self._values.get(name, "")

    def text(self, name: str, limit: int, missing: str = "") -> str:
        """What was typed, judged.

        Args:
            limit: Most characters.
            missing: What to say when it is empty; unless given it may be.
        """
        value = self.value(name)
        if missing and not value.strip():
            self.refuse(name, missing)
        if len(value) > limit:
            self.refuse(name, f"Use at most {limit} characters.")
        return value

    def secret(self, name: str, missing: str) -> Secret:
        """A password or a code; how long it may be is the flow's to say."""
        value = self._values.pop(name, "")
        if not value:
            self.refuse(name, missing)
        return Secret(value)

    def flag(self, name: str) -> bool:
        """Whether a box was ticked."""
        return self.value(name) == "on"

    def wrong(self, name: str) -> list[str]:
        """What is wrong with a field; "" is the form as a whole."""
        return self.errors.get(name, [])

    def refuse(self, name: str, message: str) -> None:
        """Say what is wrong with a field."""
        self.errors.setdefault(name, []).append(message)

    def blame(self, refused: Refused) -> bool:
        """Put a flow's refusal next to the fields that it is about; False when it is about none."""
        details: Mapping[str, Any] = refused.details
        for error in details.get("errors", ()):
            self.refuse(str(error["loc"][-1]), error["message"])
        # The summary follows the form, where a new password comes last.
        for violation in details.get("violations", ()):
            self.refuse("password", violation["message"])
        return bool(self.errors)
