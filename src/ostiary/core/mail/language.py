"""Owns languages: which there are, where their messages lie, and which of them suits a reader.

English is the language of the templates themselves and needs no catalog. A package that declares mails keeps the
others beside its templates, as ``mail/<language>.po`` for people and ``mail/<language>.mo`` for us; the core's package
says which languages there are.
"""

import re
from collections.abc import Collection, Iterable
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from typing import Final

SOURCE: Final = "en"
CORE_PACKAGE: Final = "ostiary.core.mail.templates"
FOLDER: Final = "mail"

_COMPILED: Final = ".mo"
_QUALITY: Final = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII | re.IGNORECASE)
_MOST_WISHES: Final = 20


def available() -> tuple[str, ...]:
    """Every language that mails can be written in, as BCP 47 tags, English first."""
    names = (file.name for file in (files(CORE_PACKAGE) / FOLDER).iterdir())
    return (SOURCE, *sorted(name.removesuffix(_COMPILED) for name in names if name.endswith(_COMPILED)))


def catalog(language: str, packages: Iterable[str]) -> NullTranslations:
    """The messages of a language: the core's, then those of each package that has any."""
    whole = NullTranslations()
    for package in dict.fromkeys((CORE_PACKAGE, *packages)):
        file = files(package) / FOLDER / f"{language}{_COMPILED}"
        if file.is_file():
            with file.open("rb") as content:
                found = GNUTranslations(content)
            if isinstance(whole, GNUTranslations):
                whole.add_fallback(found)
            else:
                whole = found
    return whole


def best_match(wishes: str, offered: Collection[str]) -> str | None:
    """The language that an Accept-Language header asks for (RFC 9110 section 12.5.4, lookup of RFC 4647 section 3.4).

    Args:
        wishes: The header's value, from whoever asks.
        offered: What there is.

    Returns:
        None when nothing fits; "*" asks for nothing in particular.
    """
    known = {language.lower(): language for language in offered}
    ranked: list[tuple[float, str]] = []
    for wish in wishes.split(",")[:_MOST_WISHES]:
        tag, _, quality = (part.strip() for part in wish.partition(";"))
        match = _QUALITY.fullmatch(quality) if quality else None
        if tag and (match or not quality):
            ranked.append((float(match[1]) if match else 1.0, tag.lower()))
    for weight, tag in sorted(ranked, key=lambda wish: -wish[0]):  # stable: equals stay in their order
        words = tag
        while weight and words:
            if words in known:
                return known[words]
            words = words.rpartition("-")[0]
    return None
