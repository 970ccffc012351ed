"""Owns the reading of Markdown as far as tests need it: links, headings, code blocks, names of files."""

import re
from pathlib import Path

from tests.support.tree import project_files

_FENCED = re.compile(r"^(```+)(\w*)[^\n]*\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_NAMED = re.compile(r"`((?:src|tests|docs|tools|bench)/[\w./-]*)`")
_OUTSIDE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def markdown_files() -> list[Path]:
    """Every Markdown file of the project."""
    return [path for path in project_files() if path.suffix == ".md"]


def without_code(text: str) -> str:
    """The text without its fenced blocks."""
    return _FENCED.sub("", text)


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks in a language, in order."""
    return [body for _, named, body in _FENCED.findall(text) if named == language]


def section(text: str, title: str) -> str:
    """From a heading to the next one of the same level; headings inside of code do not count."""
    begun = re.search(rf"^(#+) {re.escape(title)}\n", text, re.MULTILINE)
    assert begun is not None, f"there is no section {title!r}"
    rest = text[begun.end() :]
    shadow = _FENCED.sub(lambda block: "x" * len(block[0]), rest)
    ends = re.search(rf"^#{{1,{len(begun[1])}}} ", shadow, re.MULTILINE)
    return rest[: ends.start()] if ends else rest


def anchors(text: str) -> set[str]:
    """The fragments that lead to a heading, as code hosts make them."""
    found: set[str] = set()
    for heading in _HEADING.findall(without_code(text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 0
        while (unique := slug if not number else f"{slug}-{number}") in found:
            number += 1
        found.add(unique)
    return found


def broken_links(path: Path, text: str) -> list[str]:
    """The relative links of a file that lead nowhere."""
    broken = []
    for target in _LINK.findall(_CODE.sub("", without_code(text))):
        if _OUTSIDE.match(target):
            continue
        name, _, fragment = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        leads = there.exists()
        if leads and fragment:
            leads = fragment in anchors(there.read_text("utf-8") if name else text)
        if not leads:
            broken.append(target)
    return broken


def named_files(text: str) -> list[str]:
    """The files and folders of the project that a text names in code letters."""
    return _NAMED.findall(without_code(text))
