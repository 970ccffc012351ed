"""A mail says in which language it is, in words that an operator may replace in one language alone."""

from pathlib import Path

import pytest

from ostiary.kernel.errors import Misuse
from tests.core.mail.test_compose import composer
from tests.core.mail.test_overrides import written


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"locales": "de,xx"}, "locales: there is no xx; there are en, de"),
        ({"default_locale": "fr"}, "default_locale: fr is not among en, de"),
        ({"locales": "de", "default_locale": "en"}, "default_locale: en is not among de"),
    ],
)
def test_a_language_that_is_not_there_stops_the_start(given: dict[str, object], complaint: str) -> None:
    """The message says which there are."""
    with pytest.raises(Misuse, match=complaint):
        composer(**given)


def test_a_mail_says_its_language() -> None:
    """In its headers and its HTML; a language that was taken away since gives way to the site's."""
    context = {"failures": 3, "at": 0, "ip": "", "device": "Firefox 131 on Windows"}
    mail = composer().compose("password_disabled", "a@example.org", context, "1", "de")
    assert mail.message["Content-Language"] == "de"
    assert "1. Januar 1970, 00:00 Uhr UTC" in mail.text
    assert "Firefox 131 auf Windows" in mail.text
    assert "Jemand hat 3 Mal hintereinander vergeblich" in mail.text
    once = composer().compose("password_disabled", "a@example.org", {**context, "failures": 1}, "1", "de")
    assert "Jemand hat 1 Mal vergeblich" in once.text
    gone = composer(locales="en").compose("password_disabled", "a@example.org", context, "1", "de")
    assert gone.message["Content-Language"] == gone.language == "en"


def test_one_language_is_replaced_by_itself(tmp_path: Path) -> None:
    """A file with a language counts there, one without counts in every other one; the layout too."""
    written(tmp_path, {
        "core/account_locked.subject.txt": "ALL",
        "core/account_locked.de.subject.txt": "DEUTSCH {{ failures }}",
        "layout.de.txt": "{% block content %}{% endblock %}GRUSS",
    })  # fmt: skip
    made = composer(mail_templates=tmp_path)
    assert made.preview("account_locked", "en").subject == "ALL"
    assert made.preview("account_locked", "de").subject == "DEUTSCH 5"
    assert made.preview("password_disabled", "de").text.endswith("GRUSS\n")
    assert "GRUSS" not in made.preview("password_disabled", "en").text


def test_a_template_of_an_operator_can_use_our_messages(tmp_path: Path) -> None:
    """`_()` with one of our own sentences is translated, any other stays as it is."""
    written(tmp_path, {"core/account_locked.txt": '{{ _("Was it you?") }} {{ _("Ours alone.") }}'})
    assert (
        composer(mail_templates=tmp_path).preview("account_locked", "de").text
        == "Waren Sie das? Ours alone.\n"
    )
