"""Owns the settings of the engine as a whole, and where settings come from: arguments, the environment, files."""

import contextlib
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ostiary.core.access.settings import AccessSettings
from ostiary.core.accounts.settings import AccountSettings
from ostiary.core.api_keys.settings import ApiKeySettings
from ostiary.core.keys.root import ROOT_BYTES
from ostiary.core.keys.settings import KeySettings
from ostiary.core.mail.settings import MailSettings
from ostiary.core.networks.settings import NetworkSettings
from ostiary.core.outbox.settings import OutboxSettings
from ostiary.core.outgoing.settings import OutgoingSettings
from ostiary.core.passwords.breaches.settings import BreachSettings
from ostiary.core.passwords.settings import PasswordSettings
from ostiary.core.places.settings import PlaceSettings
from ostiary.core.revocations.settings import FeedSettings
from ostiary.core.sessions.settings import SessionSettings
from ostiary.core.signin.settings import SigninSettings
from ostiary.core.throttle.settings import ThrottleSettings
from ostiary.core.tokens.settings import TokenSettings
from ostiary.http.assets import PageSettings
from ostiary.http.rib import Rib
from ostiary.http.settings import HttpSettings, check_base_url, is_loopback
from ostiary.kernel.errors import Misuse
from ostiary.kernel.secret import Secret
from ostiary.kernel.settings import Settings, declared, setting
from ostiary.kernel.world import World
from ostiary.storage.connect import sqlite_path

PREFIX: Final = "OSTIARY_"
_FILE: Final = "_FILE"
DEV_BASE_URL: Final = "http://127.0.0.1:8000"
# Of the stand-alone server in development: a name, since browsers know no passkeys on bare addresses.
DEV_HOST: Final = "localhost"
DEV_PORT: Final = 8000


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The engine as a whole."""

    data: Path | None = setting(
        None,
        doc="Folder for what ostiary keeps in files: the SQLite database, and in development root secret and mailbox.",
    )
    database: str = setting(
        "",
        doc="Where everything is kept: `sqlite:///file` or `postgresql://…`. Unless given `ostiary.db` in `data`.",
    )
    database_pool_size: int = setting(10, doc="Connections to PostgreSQL per process, at most.")
    database_prepared_statements: bool = setting(True, doc="Turn off for pgbouncer in transaction mode.")
    auto_migrate: bool | None = setting(
        None, doc="Migrate at start. Unless set: yes on SQLite and in development, no on PostgreSQL."
    )
    root_secret: Secret | None = setting(
        None,
        doc="Seals the keyring; 32 random bytes as base64url or hex. Backups need it together with the database.",
    )
    root_secret_previous: Secret | None = setting(
        None,
        doc="The root secret before, while it is replaced: accepted until `ostiary keys reseal` has run.",
    )
    dev: bool = setting(
        False,
        doc="Development: plain http on loopback, a root secret made at first start, mails into a mailbox.",
    )

    def __post_init__(self) -> None:
        if not 1 <= self.database_pool_size <= 1000:
            raise ValueError("database_pool_size: must be 1 to 1000")


CORE_GROUPS: Final[tuple[type[Any], ...]] = (
    EngineSettings,
    HttpSettings,
    PageSettings,
    KeySettings,
    MailSettings,
    AccountSettings,
    SigninSettings,
    SessionSettings,
    TokenSettings,
    ApiKeySettings,
    AccessSettings,
    FeedSettings,
    PasswordSettings,
    BreachSettings,
    PlaceSettings,
    NetworkSettings,
    ThrottleSettings,
    OutboxSettings,
    OutgoingSettings,
)


def groups_of(ribs: Iterable[Rib]) -> tuple[type[Any], ...]:
    """Every settings group of an engine with these ribs."""
    return CORE_GROUPS + tuple(group for rib in ribs for group in rib.settings)


def from_environment(groups: Iterable[type[Any]], environment: Mapping[str, str]) -> dict[str, object]:
    """Settings given as ``OSTIARY_<NAME>`` or, for one kept in a file, ``OSTIARY_<NAME>_FILE``.

    Raises:
        Misuse: a variable with our prefix names no setting, both forms are given, or a file cannot be read.
    """
    names = {item.name for group in groups for item, _ in declared(group)}
    given: dict[str, object] = {}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name in names:
            given[name] = value
            continue
        name = name.removesuffix(_FILE.lower())
        if name not in names or not variable.endswith(_FILE):
            raise Misuse(f"{variable}: there is no such setting")
        if variable.removesuffix(_FILE) in environment:
            raise Misuse(f"{variable} and {variable.removesuffix(_FILE)} are both set; give one of them")
        try:
            given[name] = Path(value).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            # Only why: whoever put the secret itself where its file's name belongs must not find it in a log.
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise Misuse(f"{variable}: cannot read the file that it names: {why}") from None
    return given


def is_development(values: Mapping[str, object]) -> bool:
    """Whether settings, not yet checked, say development; a word from the environment ("false") is read as one.

    Raises:
        Misuse: They say neither yes nor no.
    """
    return Settings([EngineSettings], {"dev": values.get("dev", False)}).of(EngineSettings).dev


def load(ribs: Iterable[Rib], world: World, given: Mapping[str, object]) -> Settings:
    """Build and cross-check every group once.

    Raises:
        Misuse: something is unknown, does not fit, or is missing for production; the message says what to set.
    """
    values = dict(given)
    groups = groups_of(ribs)
    own = {name: value for name, value in values.items() if name in _names(EngineSettings)}
    try:
        engine = Settings([EngineSettings], own).of(EngineSettings)
    except Misuse:
        Settings(groups, values)  # raises as well, and lists the mistakes of the other groups, too
        raise
    make_folder(engine.data)
    values["database"] = engine.database or f"sqlite:///{(engine.data or Path()) / 'ostiary.db'}"
    if engine.dev:
        values.setdefault("base_url", DEV_BASE_URL)
        engine = replace(engine, database=str(values["database"]))
        if engine.root_secret is None:
            values["root_secret"] = development_root(world, development_path(engine, "root-secret"))
    settings = Settings(groups, values)
    if not engine.dev:
        _demand_production(settings)
    base = check_base_url(settings.of(HttpSettings).base_url, engine.dev)
    if engine.dev and not is_loopback(base.host):
        raise Misuse(
            "dev: base_url must be this machine (127.0.0.1, localhost); others would be shown every mail"
        )
    return settings


def _names(group: type[Any]) -> set[str]:
    return {item.name for item, _ in declared(group)}


def _demand_production(settings: Settings) -> None:
    mail = settings.of(MailSettings)
    missing = [
        f"{name} ({PREFIX}{name.upper()}): {why}"
        for name, is_missing, why in (
            (
                "base_url",
                not settings.of(HttpSettings).base_url,
                "the https URL under which people reach this server",
            ),
            (
                "root_secret",
                settings.of(EngineSettings).root_secret is None,
                "make one with `ostiary root-secret`",
            ),
            ("smtp_host", mail.smtp_host is None, "the mail server that verification mails go through"),
            ("mail_from", mail.mail_from is None, "the address that mails come from"),
        )
        if is_missing
    ]
    if missing:
        raise Misuse(
            "not ready for production; set " + "; ".join(missing) + ". For development start with --dev"
        )


def make_folder(data: Path | None) -> None:
    """Make the data folder, readable by its owner alone, unless it is there.

    Raises:
        Misuse: it cannot be made.
    """
    if data is None:
        return
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Misuse(f"data: cannot make the folder {data}: {error.strerror}") from error


def development_root(world: World, path: Path) -> Secret:
    """The root secret of a development installation: a file, made at first start, mode 0600.

    Raises:
        Misuse: the file is readable by others, or cannot be made.
    """
    if not path.exists():
        _make_root(world.token(ROOT_BYTES), path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Misuse(f"{path} can be read by others: run `chmod 600 {path}`")
    return Secret(path.read_text(encoding="ascii").strip())


def _make_root(fresh: Secret, path: Path) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(fresh.reveal() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            # All or nothing: of several processes that start together one wins, and none reads half a file.
            os.link(draft, path)
    except OSError as error:
        raise Misuse(f"cannot write the root secret: {error}") from error
    finally:
        draft.unlink(missing_ok=True)


def development_path(engine: EngineSettings, name: str) -> Path:
    """Where development keeps a file: in `data`, else beside the SQLite database, else in the working directory."""
    if engine.data is not None:
        return engine.data / name
    path = sqlite_path(engine.database)
    return path.with_name(f"{path.name}.{name}") if path is not None else Path(f"ostiary.{name}")
