"""Owns the files that pages load: our style sheet, scripts and mark, and the operator's style sheet.

Their names carry a hash of their content, so browsers keep them for a year and a new version is a new name.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from ostiary.kernel.errors import Misuse
from ostiary.kernel.settings import setting

PREFIX: Final = "/assets/"
STYLE: Final = "ostiary.css"
SCRIPT: Final = "ostiary.js"
PASSKEYS: Final = "passkeys.js"
MARK: Final = "mark.svg"
THEME: Final = "theme.css"

_KINDS: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_LARGEST_THEME: Final = 262_144


@dataclass(frozen=True, slots=True)
class PageSettings:
    """The hosted pages."""

    theme_css: Path | None = setting(
        None, doc="A style sheet of yours that every page loads after ours; see docs/theming.md."
    )

    def __post_init__(self) -> None:
        if self.theme_css is not None and not self.theme_css.is_file():
            raise ValueError("theme_css: must be an existing file")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file.

    Attributes:
        path: Where it is served, with the hash in the name.
        kind: Its media type.
    """

    path: str
    kind: str
    content: bytes


def load_assets(settings: PageSettings) -> Mapping[str, Asset]:
    """Every file by its plain name, read once.

    Raises:
        Misuse: the operator's style sheet cannot be read, is no UTF-8 or larger than 256 KiB.
    """
    folder = files("ostiary.http") / "assets"
    contents = {name: (folder / name).read_bytes() for name in (STYLE, SCRIPT, PASSKEYS, MARK)}
    if settings.theme_css is not None:
        contents[THEME] = _theme(settings.theme_css)
    return {name: _asset(name, content) for name, content in contents.items()}


def plain_name(file: str) -> str:
    """The plain name of a file that was asked for with some hash: ``ostiary.1a2b.css`` is ``ostiary.css``."""
    stem, _, rest = file.partition(".")
    return f"{stem}.{rest.rpartition('.')[2]}"


def _theme(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        content.decode()
    except (OSError, UnicodeError) as error:
        raise Misuse(f"theme_css: cannot read {path}: {error}") from error
    if len(content) > _LARGEST_THEME:
        raise Misuse(f"theme_css: {path} is larger than {_LARGEST_THEME} bytes")
    return content


def _asset(name: str, content: bytes) -> Asset:
    stem, _, suffix = name.rpartition(".")
    digest = hashlib.sha256(content).hexdigest()[:16]
    return Asset(f"{PREFIX}{stem}.{digest}.{suffix}", _KINDS[suffix], content)
