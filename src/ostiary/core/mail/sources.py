"""Owns where the text of a template comes from: our packages, and the operator's folder, whose files replace ours.

    layout.html  layout.txt  parts.html  parts.txt          the frame of every mail, and its building blocks
    <rib>/<name>.subject.txt  <rib>/<name>.txt  <rib>/<name>.html
    layout.de.html  <rib>/<name>.de.txt  …                  the same in one language

A file without a language counts for every language that has none of its own. ``ostiary/`` before a name means our own
file, so that a replacement can extend what it replaces.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final

from ostiary.core.mail.language import CORE_PACKAGE, FOLDER
from ostiary.core.mail.template import MailTemplate
from ostiary.kernel.errors import Misuse

SHARED: Final = ("layout.html", "layout.txt", "parts.html", "parts.txt")
SUBJECT: Final = ".subject.txt"
TEXT: Final = ".txt"
HTML: Final = ".html"
SUFFIXES: Final = (SUBJECT, TEXT, HTML)
OURS: Final = "ostiary/"
_LARGEST: Final = 262_144


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one template file.

    Attributes:
        path: Where it lies, for messages.
    """

    text: str
    path: str


@dataclass(frozen=True, slots=True)
class Sources:
    """Every template's text.

    Attributes:
        ours: By the template's name, such as ``registration/already_registered.txt``.
        theirs: The operator's, by language ("" for all) and name.
    """

    ours: Mapping[str, Source]
    theirs: Mapping[str, Mapping[str, Source]] = field(default_factory=dict)

    def find(self, name: str, language: str) -> Source | None:
        """The text that counts in a language; None when there is no such template."""
        if name.startswith(OURS):
            return self.ours.get(name.removeprefix(OURS))
        return self.replacement(name, language) or self.ours.get(name)

    def replacement(self, name: str, language: str) -> Source | None:
        """The operator's text that counts in a language, if there is one."""
        return self.theirs.get(language, {}).get(name) or self.theirs.get("", {}).get(name)


def read(mails: Mapping[str, MailTemplate], folder: Path | None, languages: Collection[str]) -> Sources:
    """Read our own files and the operator's.

    Args:
        mails: Every mail by its path, such as ``registration/already_registered``.
        folder: The operator's folder.
        languages: Which there are.

    Raises:
        Misuse: a file is missing or cannot be read, or one of the operator's replaces nothing.
    """
    ours = dict(_ours(mails))
    if folder is None:
        return Sources(ours)
    names: dict[str, tuple[str, str]] = {}
    for name in ours:
        stem, suffix = _split(name)
        names[name] = ("", name)
        names |= {f"{stem}.{language}{suffix}": (language, name) for language in languages}
    theirs: dict[str, dict[str, Source]] = {}
    for path in _walk(folder):
        language, name = names.get(path.relative_to(folder).as_posix(), (None, ""))
        if language is None:
            raise Misuse(
                f"mail_templates: {path} replaces no template. A replacement is called {', '.join(SHARED)}, or, with "
                f"{', '.join(SUFFIXES)} at its end, one of {', '.join(sorted(mails))}; for one language put "
                f"{', '.join(f'.{one}' for one in sorted(languages))} before that end"
            )
        theirs.setdefault(language, {})[name] = Source(_text(path), str(path))
    return Sources(ours, theirs)


def _ours(mails: Mapping[str, MailTemplate]) -> Iterator[tuple[str, Source]]:
    for name in SHARED:
        file = files(CORE_PACKAGE) / name
        yield name, Source(file.read_text("utf-8"), str(file))
    for path, mail in mails.items():
        for suffix in SUFFIXES:
            file = files(mail.package) / FOLDER / f"{mail.name}{suffix}"
            if not file.is_file():
                raise Misuse(f"mail template {mail.name!r}: {mail.package} has no {FOLDER}/{file.name}")
            yield f"{path}{suffix}", Source(file.read_text("utf-8"), str(file))


def _split(name: str) -> tuple[str, str]:
    """A template's name without its end, and the end."""
    suffix = next(suffix for suffix in SUFFIXES if name.endswith(suffix))
    return name.removesuffix(suffix), suffix


def _walk(folder: Path) -> Iterable[Path]:
    """Every file in the folder and in the folders inside it, also where those are links, as in a mounted ConfigMap."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from (inner for inner in sorted(path.iterdir()) if not inner.name.startswith("."))
        else:
            yield path


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if len(content) > _LARGEST:
            raise Misuse(f"mail_templates: {path} is larger than {_LARGEST} bytes")
        return content.decode()
    except (OSError, UnicodeError) as error:
        raise Misuse(f"mail_templates: cannot read {path}: {error}") from error
