"""Owns the development mailbox: a transport that keeps mails here, to be looked at, and delivers nothing."""

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson

from ostiary.core.mail.compose import Composed

_KEPT: Final = 1000
_PRIVATE: Final = 0o600  # the links in it sign people in


class Mailbox:
    """Keeps the latest thousand mails.

    Args:
        path: Where they survive a restart, as one JSON object per line; None keeps them in memory only.
        echo: Told in one or more lines about every mail, to show its links on the console.
    """

    def __init__(self, path: Path | None = None, echo: Callable[[str], None] | None = None) -> None:
        self._path = path
        self._echo = echo
        self._kept: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        if path is not None and path.exists():
            self._load(path)

    async def deliver(self, mail: Composed) -> str:
        """Keep the mail."""
        kept = {
            "id": mail.id,
            "to": mail.to,
            "subject": mail.subject,
            "language": mail.language,
            "text": mail.text,
            "html": mail.html,
            "links": list(mail.links),
            "at": mail.at.isoformat(),
        }
        self._kept.append(kept)
        if self._path is not None:
            _write(self._path, [kept], os.O_APPEND)
        if self._echo is not None:
            self._echo("\n  ".join([f"mail to {mail.to}: {mail.subject}", *mail.links]))
        return "kept in the development mailbox"

    async def close(self) -> None:
        """Nothing is open between two mails."""

    def messages(self) -> list[dict[str, Any]]:
        """``{id, to, subject, language, text, html, links, at}`` of each mail, the newest last."""
        return [dict(kept) for kept in self._kept]

    def _load(self, path: Path) -> None:
        lines = path.read_bytes().splitlines()
        for line in lines:
            try:
                self._kept.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                continue  # torn by a crash while it was written
        # Written anew, so that neither a torn line nor the past stays for ever.
        fresh = path.with_name(f"{path.name}.new")
        _write(fresh, self._kept, os.O_TRUNC)
        fresh.replace(path)


def _write(path: Path, mails: "list[dict[str, Any]] | deque[dict[str, Any]]", how: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how, _PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        for mail in mails:
            file.write(orjson.dumps(mail) + b"\n")
