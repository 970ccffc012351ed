"""Owns what pages read from a submitted form, what is wrong with it, field by field, and what they tell beforehand."""

from collections.abc import Iterable, Mapping
from typing import Any

from ostiary.kernel.errors import Refused
from ostiary.kernel.secret import Secret
from ostiary.protocols.password_rules import PasswordRules


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

    def blame(self, refused: Refused, chosen_in: str = "password") -> bool:
        """Put a flow's refusal next to the fields that it is about; False when it is about none.

        Args:
            chosen_in: The field in which a new password is chosen.
        """
        details: Mapping[str, Any] = refused.details
        for error in details.get("errors", ()):
            self.refuse(str(error["loc"][-1]), error["message"])
        # The summary follows the form, where a new password comes last.
        for violation in details.get("violations", ()):
            self.refuse(chosen_in, violation["message"])
        return bool(self.errors)


def rules_in_words(rules: PasswordRules) -> list[str]:
    """What a new password must be, told beforehand."""
    words = [f"At least {rules.min_length} characters; spaces and any others are fine."]
    kinds = [
        name
        for name, is_required in (
            ("an upper-case letter", rules.require_upper),
            ("a lower-case letter", rules.require_lower),
            ("a digit", rules.require_digit),
            ("a symbol or a space", rules.require_symbol),
        )
        if is_required
    ]
    if kinds:
        words.append("With " + " and ".join(filter(None, (", ".join(kinds[:-1]), kinds[-1]))) + ".")
    if rules.blocklist:
        words.append("Not a common password, nor your name or address.")
    if rules.breaches:
        words.append("Not one that is known from a data breach.")
    return words
