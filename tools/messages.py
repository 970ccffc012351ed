"""Owns the catalogs of messages: collects what mails say from templates and code, and compiles what translators wrote.

Each package that declares mails has its own catalogs beside its templates: ``mail/<language>.po`` for people, and
``mail/<language>.mo``, compiled from it, for the engine. What the core says already (such as "Was it you?") is not
repeated in the ribs. Run `make messages` after changing a mail, and `python -m tools.messages fr` to add a language.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from ostiary.core.mail.language import CORE_PACKAGE, FOLDER, SOURCE, available
from ostiary.core.mail.sources import SHARED, SUFFIXES
from ostiary.core.mail.template import MailTemplate
from ostiary.engine.features import RIBS
from ostiary.engine.wire import mails

_WIDTH = 100
_KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2)}
_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")
_JINJA = {"extensions": "jinja2.ext.i18n", "trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true",
          "silent": "false"}  # fmt: skip
_WORDS = Path(str(files("ostiary.core.mail"))) / "words.py"

Key = str | tuple[str, str]


class Steady(Catalog):
    """A catalog whose header has no date and no name of a tool in it: the same messages make the same bytes."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        """The header's lines."""
        return [
            ("Language", str(self.locale_identifier)),
            ("Plural-Forms", self.plural_forms),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
        ]


@dataclass
class Package:
    """A package with mails.

    Attributes:
        name: As it is imported.
        messages: What its mails say, with the files that say it.
    """

    name: str
    messages: dict[Key, list[str]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where its templates and catalogs lie."""
        return Path(str(files(self.name))) / FOLDER

    def note(self, file: Path) -> None:
        """Collect the messages of one file."""
        method = "python" if file.suffix == ".py" else "jinja2.ext:babel_extract"
        options = {} if file.suffix == ".py" else _JINJA
        with file.open("rb") as content:
            for _, message, _, _ in extract(method, content, _KEYWORDS, options=options):
                key = message if isinstance(message, str) else (message[0], message[1])
                names = self.messages.setdefault(key, [])
                if file.name not in names:
                    names.append(file.name)


def packages() -> list[Package]:
    """Every package with mails, the core's first; none of the others repeats what the core says."""
    core = Package(CORE_PACKAGE)
    for name in SHARED:
        core.note(Path(str(files(CORE_PACKAGE))) / name)
    core.note(_WORDS)
    found = {CORE_PACKAGE: core}
    for mail in _templates():
        package = found.setdefault(mail.package, Package(mail.package))
        for suffix in SUFFIXES:
            package.note(package.folder / f"{mail.name}{suffix}")
    for package in found.values():
        if package is not core:
            for key in core.messages.keys() & package.messages.keys():
                del package.messages[key]
    return [package for package in found.values() if package.messages]


def _templates() -> Iterator[MailTemplate]:
    for declared in mails(RIBS).values():
        yield from declared


def translated(package: Package, language: str) -> Steady:
    """The catalog as it should be: every message of today, with the translation that it has already."""
    path = package.folder / f"{language}.po"
    old = Catalog(locale=language.replace("-", "_"))
    if path.exists():
        with path.open("rb") as content:
            old = read_po(content, locale=language.replace("-", "_"))
    catalog = Steady(locale=language.replace("-", "_"), header_comment="", fuzzy=False)
    for key, names in package.messages.items():
        known = old.get(key)
        catalog.add(
            key,
            known.string if known else ("" if isinstance(key, str) else ("",) * catalog.num_plurals),
            locations=[(name, 1) for name in names],
            flags=known.flags if known else (),
            user_comments=known.user_comments if known else (),
        )
    return catalog


def as_po(catalog: Catalog) -> bytes:
    """What translators edit."""
    content = BytesIO()
    write_po(content, catalog, width=_WIDTH, include_lineno=False)
    return content.getvalue().lstrip()


def as_mo(catalog: Catalog) -> bytes:
    """What the engine reads."""
    content = BytesIO()
    write_mo(content, catalog)
    return content.getvalue()


def mistakes(catalog: Catalog) -> list[str]:
    """What is wrong with the translations: missing, doubtful, other placeholders, or markup."""
    found = []
    for message in catalog:
        if not message.id:
            continue
        strings = _strings(message)
        if not all(strings):
            found.append(f"not translated: {message.id}")
        if message.fuzzy:
            found.append(f"marked as fuzzy: {message.id}")
        if any(not _fits(message, string) for string in strings if string):
            found.append(f"other placeholders: {message.id}")
        if any(sign in string for sign in "<>&" for string in (*strings, *_ids(message))):
            # Messages are put into HTML as they are; only what is put into them is escaped.
            found.append(f"markup belongs into the template: {message.id}")
    return found


def _fits(message: Message, string: str) -> bool:
    """Whether a translation has the placeholders of the message; one of a count may leave the count out."""
    wanted = set(_PLACEHOLDER.findall(" ".join(_ids(message))))
    has = set(_PLACEHOLDER.findall(string))
    left_out = {"%(num)d"} if message.pluralizable and string == _strings(message)[0] else set()
    return wanted - left_out <= has <= wanted and "%" not in _PLACEHOLDER.sub("", string).replace("%%", "")


def _ids(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def _strings(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ("",))


def main(added: Iterable[str]) -> int:
    """Update and compile every catalog.

    Returns:
        How many mistakes are left.
    """
    left = 0
    for language in dict.fromkeys([*available(), *added]):
        if language == SOURCE:
            continue
        for package in packages():
            catalog = translated(package, language)
            path = package.folder / f"{language}.po"
            path.write_bytes(as_po(catalog))
            path.with_suffix(".mo").write_bytes(as_mo(catalog))
            wrong = mistakes(catalog)
            left += len(wrong)
            print(f"{path}: {len(package.messages)} messages", *wrong, sep="\n  ")
    return left


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
