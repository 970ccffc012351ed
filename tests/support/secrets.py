"""Owns the proof that nothing secret lies readable in the database, the logs or the mails (L14, S-P2).

Everything that was issued or typed is collected where it passes: in the traffic of the kit's browsers, in the mailbox,
on the keyring. At the end a dump of the whole database, and the log, are searched for each of them in every form in
which somebody could have written it down.
"""

import base64
import binascii
import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import orjson
import psycopg
from psycopg import sql

from ostiary.engine.settings import EngineSettings
from ostiary.storage.connect import sqlite_path
from ostiary.testing import Kit

_TYPED: Final = frozenset({"password", "new_password", "current_password"})
_ANSWERED: Final = frozenset(
    {"attempt", "access_token", "refresh_token", "api_key", "key", "secret", "backup_codes"}
)
_LINK_TOKEN: Final = re.compile(r"[?&]token=([\w-]{20,})", re.ASCII)
_MAILED_CODE: Final = re.compile(r"^\s*(\d{6})\s*$", re.MULTILINE | re.ASCII)
_BASE32: Final = re.compile(r"(?:[A-Z2-7]{8})+", re.ASCII)
_SHORTEST: Final = 12  # what is shorter may stand somewhere by chance, and is no secret that we accept


class Secrets:
    """What must not be found, and where it came from."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._strings: dict[bytes, str] = {}
        self._codes: dict[bytes, str] = {}

    @property
    def origins(self) -> set[str]:
        """Which kinds of secrets were seen."""
        return {*self._strings.values(), *self._codes.values()}

    def add(self, value: str | bytes, origin: str) -> None:
        """Note a secret in every form in which it could have been written.

        Args:
            value: As text, or as raw bytes.
            origin: What it is, for the complaint.
        """
        raw = value.encode() if isinstance(value, str) else value
        if len(raw) < _SHORTEST:
            return
        for form in {raw, *_decoded(raw)}:
            plain = base64.b64encode(form).rstrip(b"=")
            safe = plain.replace(b"+", b"-").replace(b"/", b"_")
            quoted = orjson.dumps(form.decode()).strip(b'"') if _is_text(form) else form
            for written in (form, plain, safe, quoted, form.hex().encode(), form.hex().upper().encode()):
                self._strings.setdefault(written, origin)

    def add_typable(self, value: str, origin: str) -> None:
        """Note a secret that people may type: in either case, without its dashes, and the bytes behind base 32."""
        bare = value.replace("-", "")
        for form in (value, value.lower(), bare, bare.lower()):
            self.add(form, origin)
        if _BASE32.fullmatch(bare):
            self.add(base64.b32decode(bare + "=" * (-len(bare) % 8)), origin)

    def add_code(self, digits: str, origin: str) -> None:
        """Note a code, which counts only where it stands alone."""
        self._codes.setdefault(digits.encode(), origin)

    def found_in(self, dump: bytes) -> list[str]:
        """What of it stands in a dump; each with its origin, and never with the value."""
        found = [origin for form, origin in self._strings.items() if form in dump]
        alone = set(re.findall(rb"(?<![0-9A-Za-z_-])[0-9]{6}(?![0-9A-Za-z_-])", dump))
        found += [origin for code, origin in self._codes.items() if code in alone]
        return sorted(set(found))

    # ── where they pass ──

    async def see(self, response: httpx2.Response) -> None:
        """Note what one exchange carried: passwords that were accepted, cookies, tokens in the answer."""
        request = response.request
        if response.is_success:
            for name, value in _members(await request.aread()):
                if name in _TYPED:
                    self.add(value, f"{name} typed at {request.url.path}")
        for header in response.headers.get_list("set-cookie"):
            name, _, value = header.partition(";")[0].partition("=")
            # Session and CSRF token are `public id.secret`.
            self.add(value.rpartition(".")[2], f"cookie {name}")
        if "json" in response.headers.get("content-type", ""):
            for name, value in _members(await response.aread()):
                if name in _ANSWERED:
                    self.add_typable(value, f"{name} answered by {request.url.path}")

    def see_mail(self, text: str) -> None:
        """Note the link token and the code of a mail."""
        for token in _LINK_TOKEN.findall(text):
            self.add(token, "link token")
        for digits in _MAILED_CODE.findall(text):
            self.add_code(digits, "code")


def _decoded(raw: bytes) -> list[bytes]:
    """The bytes behind base64url or hex text, if it is such and long enough to be a key."""
    found = []
    try:
        standard = raw.replace(b"-", b"+").replace(b"_", b"/")
        found.append(base64.b64decode(standard + b"=" * (-len(raw) % 4), validate=True))
    except (ValueError, binascii.Error):
        pass
    return [form for form in found if len(form) >= _SHORTEST]


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _members(body: bytes) -> Iterator[tuple[str, str]]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    for name, value in document.items() if isinstance(document, dict) else ():
        yield from (
            (name, one) for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)
        )


# ── what is searched ──


def dump_of(url: str) -> bytes:
    """Everything in a database: every row of every table as text, and SQLite's files as they are."""
    path = sqlite_path(url)
    return _dump_sqlite(path) if path is not None else _dump_postgres(url)


def _dump_sqlite(path: Path) -> bytes:
    parts = []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for table in tables:
            parts += [_line(row) for row in connection.execute(f'SELECT * FROM "{table}"')]
    connection.close()
    parts += [
        file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")) if file.suffix in _FILES
    ]
    return b"\n".join(parts)


_FILES: Final = frozenset({".db", ".db-wal", ".db-journal"})


def _dump_postgres(url: str) -> bytes:
    parts = []
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            everything = sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))
            parts += [_line(row) for row in connection.execute(everything).fetchall()]
    return b"\n".join(parts)


def _line(row: tuple[Any, ...]) -> bytes:
    return b"\t".join(value if isinstance(value, bytes) else str(value).encode() for value in row)


class _Lines(logging.Handler):
    """Keeps what is logged, as text."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class Watch:
    """What passed in a kit, and the search for it.

    Args:
        kit: The kit, before its first browser.

    Attributes:
        issued: What passed between browsers and engine; it has no business in a mail either.
        rest: What mails may show, and what only the engine knows.
    """

    def __init__(self, kit: Kit) -> None:
        self.issued, self.rest = Secrets(), Secrets()
        self._kit = kit
        self._log = _Lines()
        kit.event_hooks.setdefault("response", []).append(self.issued.see)
        logging.getLogger().addHandler(self._log)

    def close(self) -> None:
        """Hear no more."""
        logging.getLogger().removeHandler(self._log)

    def judge(self) -> None:
        """Look for everything secret that passed.

        Raises:
            AssertionError: some of it stands in the database, in the log or in a mail where it does not belong.
        """
        kit, rest = self._kit, self.rest
        engine = kit.engine.settings.of(EngineSettings)
        if engine.root_secret is not None:
            rest.add(engine.root_secret.reveal(), "root secret")
        for (purpose, _), key in kit.engine.core.ring._by_id.items():
            rest.add(key.secret.reveal_bytes(), f"key {purpose}")
        mails = ""
        for mail in kit.mailbox.messages():
            rest.see_mail(mail["text"])
            mails += mail["subject"] + mail["text"] + mail["html"]
        assert not (leaked := self.issued.found_in(mails.encode())), f"a mail shows {leaked}"
        for place, dump in (
            ("database", dump_of(engine.database)),
            ("log", "\n".join(self._log.lines).encode()),
        ):
            leaked = self.issued.found_in(dump) + rest.found_in(dump)
            assert not leaked, f"the {place} shows {leaked}"


@contextmanager
def nothing_leaks(kit: Kit) -> Iterator[Watch]:
    """Watch a kit while a test uses it, and judge when the test has passed."""
    logger = logging.getLogger("ostiary")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    watch = Watch(kit)
    try:
        yield watch
    finally:
        watch.close()
        logger.setLevel(level)
    watch.judge()
