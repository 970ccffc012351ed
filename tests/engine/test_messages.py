"""Every message is translated, and the catalogs are what templates and translators say."""

from io import BytesIO

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from ostiary.core.mail.language import CORE_PACKAGE, SOURCE, available
from tools import messages
from tools.messages import Package

LANGUAGES = [language for language in available() if language != SOURCE]
PACKAGES = {package.name: package for package in messages.packages()}
_EVERY = pytest.mark.parametrize("package", PACKAGES.values(), ids=PACKAGES)


def test_german_is_there() -> None:
    """The tests below look at something."""
    assert "de" in LANGUAGES
    assert len(PACKAGES[CORE_PACKAGE].messages) > 30
    assert len(PACKAGES) > 2


@pytest.mark.parametrize("language", LANGUAGES)
@_EVERY
def test_every_message_is_translated(package: Package, language: str) -> None:
    """None is missing, doubtful, or has other placeholders than the English one; none brings markup."""
    assert messages.mistakes(messages.translated(package, language)) == [], (
        "edit the .po, run `make messages`"
    )


@pytest.mark.parametrize("language", LANGUAGES)
@_EVERY
def test_the_catalogs_are_up_to_date(package: Package, language: str) -> None:
    """The .po has exactly the messages of the templates, and the .mo is compiled from it."""
    catalog = messages.translated(package, language)
    path = package.folder / f"{language}.po"
    assert path.read_bytes() == messages.as_po(catalog), "run `make messages`"
    assert path.with_suffix(".mo").read_bytes() == messages.as_mo(catalog), "run `make messages`"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_has_one_translation(language: str) -> None:
    """Two ribs that say the same translate it the same way: at run time the first one counts."""
    said: dict[object, object] = {}
    for package in PACKAGES.values():
        for message in messages.translated(package, language):
            if message.id:
                assert said.setdefault(message.id, message.string) == message.string, message.id


@pytest.mark.parametrize(
    ("po", "mistake"),
    [
        ('msgid "Hello"\nmsgstr ""', "not translated"),
        ('#, fuzzy\nmsgid "Hello"\nmsgstr "Hallo"', "fuzzy"),
        ('#, python-format\nmsgid "Hello %(name)s"\nmsgstr "Hallo %(nmae)s"', "placeholders"),
        ('#, python-format\nmsgid "Hello %(name)s"\nmsgstr "Hallo"', "placeholders"),
        ('msgid "Hello"\nmsgstr "Hallo %(name)s"', "placeholders"),
        ('#, python-format\nmsgid "%(num)d day"\nmsgid_plural "%(num)d days"\nmsgstr[0] "%(num)d Tag"\nmsgstr[1] ""',
         "not translated"),
        ('#, python-format\nmsgid "%(num)d day"\nmsgid_plural "%(num)d days"\nmsgstr[0] "Tag"\nmsgstr[1] "%(n)d Tage"',
         "placeholders"),
        ('msgid "Hello"\nmsgstr "<b>Hallo</b>"', "markup"),
        ('msgid "Terms & Conditions"\nmsgstr "Bedingungen"', "markup"),
    ],
)  # fmt: skip
def test_a_mistake_is_seen(po: str, mistake: str) -> None:
    """The test above can fail."""
    catalog: Catalog = read_po(BytesIO(po.encode()), locale="de")
    assert any(mistake in found for found in messages.mistakes(catalog)), messages.mistakes(catalog)


def test_a_right_translation_passes() -> None:
    """Placeholders may change their order, and a singular may leave the number out."""
    po = (
        '#, python-format\nmsgid "%(a)s and %(b)s"\nmsgstr "%(b)s und %(a)s"\n\n'
        '#, python-format\nmsgid "%(num)d try"\nmsgid_plural "%(num)d tries"\n'
        'msgstr[0] "ein Versuch"\nmsgstr[1] "%(num)d Versuche"'
    )
    assert messages.mistakes(read_po(BytesIO(po.encode()), locale="de")) == []
