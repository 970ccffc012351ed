"""Where settings come from, and what an engine refuses to start with."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ostiary.core.mail.settings import MailSettings
from ostiary.core.sessions.settings import SessionSettings
from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import EngineSettings, from_environment, groups_of, load
from ostiary.http.settings import HttpSettings
from ostiary.kernel.errors import Misuse
from ostiary.kernel.secret import Secret
from ostiary.kernel.settings import Settings, declared
from ostiary.kernel.world import World

WORLD = World()
GROUPS = groups_of(RIBS)
PRODUCTION: dict[str, object] = {
    "base_url": "https://auth.example.test",
    "root_secret": WORLD.token().reveal(),
    "smtp_host": "mail.example.test",
    "mail_from": "no-reply@auth.example.test",
}


def environment(**values: str) -> dict[str, object]:
    """Settings from an environment with these variables and a few of other programs."""
    return from_environment(GROUPS, {"PATH": "/bin", "OSTIARYX": "1", "ostiary_dev": "1"} | values)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """As if the process had been started with another file mode mask."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_the_environment(tmp_path: Path) -> None:
    """`OSTIARY_<NAME>` gives a setting, `OSTIARY_<NAME>_FILE` one kept in a file, without the line end."""
    (tmp_path / "secret").write_text("in-a-file\n")
    given = environment(
        OSTIARY_SESSION_IDLE="20m",
        OSTIARY_SMTP_PASSWORD_FILE=str(tmp_path / "secret"),
        OSTIARY_SMTP_USER="me",
    )
    assert given == {"session_idle": "20m", "smtp_password": "in-a-file", "smtp_user": "me"}
    settings = load(RIBS, WORLD, {**PRODUCTION, **given})
    assert settings.of(SessionSettings).session_idle.total_seconds() == 1200
    password = settings.of(MailSettings).smtp_password
    assert password is not None
    assert password.matches("in-a-file")


@pytest.mark.parametrize(
    "variable", ["OSTIARY_SESION_IDLE", "OSTIARY_", "OSTIARY_FILE", "OSTIARY__FILE", "OSTIARY_NOPE_FILE"]
)
def test_a_variable_that_is_no_setting(variable: str) -> None:
    """A misspelt name is refused by name: silence would leave the default in force. Its value is not repeated."""
    with pytest.raises(Misuse, match=f"{variable}: there is no such setting") as caught:
        environment(**{variable: "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_both_forms_of_one_setting(tmp_path: Path) -> None:
    """A value and a file for the same setting: nobody guesses which one was meant."""
    (tmp_path / "secret").write_text("one")
    with pytest.raises(Misuse, match="OSTIARY_ROOT_SECRET_FILE and OSTIARY_ROOT_SECRET are both set"):
        environment(OSTIARY_ROOT_SECRET="two", OSTIARY_ROOT_SECRET_FILE=str(tmp_path / "secret"))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The variable is named; what it holds is not, since it may be the secret itself."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xfd")
    for value in ("the-secret-itself", "the-secret\0itself", str(tmp_path), str(tmp_path / "binary")):
        given = {"OSTIARY_ROOT_SECRET_FILE": value}
        with pytest.raises(Misuse, match="OSTIARY_ROOT_SECRET_FILE: cannot read the file") as caught:
            environment(**given)
        assert value not in str(caught.value)
        assert caught.value.__cause__ is None


def test_every_setting_can_be_given(tmp_path: Path) -> None:
    """Names are unique, documented in one line, and none can be mistaken for the file form of another."""
    names = [item.name for group in GROUPS for item, _ in declared(group)]
    assert len(set(names)) == len(names) > 30
    for group in GROUPS:
        for item, _ in declared(group):
            assert item.metadata["doc"].strip()
            assert "\n" not in item.metadata["doc"]
    assert not [name for name in names if name.endswith("_file") and name.removesuffix("_file") in names]


def test_all_mistakes_of_all_groups_at_once() -> None:
    """One start lists them all, the engine's own and those of ribs, and repeats no value."""
    with pytest.raises(Misuse) as caught:
        load(
            RIBS,
            WORLD,
            {"database_pool_size": "lots", "session_idle": "hunter2", "no_such": "x1x2", "dev": "y?"},
        )
    for name in ("database_pool_size: ", "session_idle: ", "no_such: there is no such setting", "dev: "):
        assert name in str(caught.value)
    for value in ("lots", "hunter2", "x1x2", "y?"):
        assert value not in str(caught.value)


@pytest.mark.parametrize("missing", sorted(PRODUCTION))
def test_production_needs(missing: str) -> None:
    """Without one of the four the message names it, its variable, and what to do."""
    given = {name: value for name, value in PRODUCTION.items() if name != missing}
    if missing == "mail_from":
        del given["smtp_host"]
    with pytest.raises(Misuse, match="not ready for production; set ") as caught:
        load(RIBS, WORLD, given)
    assert f"{missing} (OSTIARY_{missing.upper()}): " in str(caught.value)
    assert "--dev" in str(caught.value)


def test_production_with_nothing() -> None:
    """All four are listed at once."""
    with pytest.raises(Misuse) as caught:
        load(RIBS, WORLD, {})
    assert [name for name in PRODUCTION if f"{name} (OSTIARY_" in str(caught.value)] == list(PRODUCTION)


def test_a_mail_server_without_a_sender() -> None:
    """A server to send through but nobody to send as: says what to give."""
    given = {name: value for name, value in PRODUCTION.items() if name != "mail_from"}
    with pytest.raises(Misuse, match="mail_from: must be given together with smtp_host"):
        load(RIBS, WORLD, given)


@pytest.mark.parametrize(
    "url",
    [
        "http://auth.example.test",
        "http://127.0.0.1:8000",
        "ftp://auth.example.test",
        "https://a.test/path",
        "auth.example.test",
    ],
)
def test_production_is_https(url: str) -> None:
    """Plain http, another scheme, a path or no scheme at all is refused, loopback too."""
    with pytest.raises(Misuse, match="base_url: "):
        load(RIBS, WORLD, {**PRODUCTION, "base_url": url})


def test_a_weak_root_secret_stops_the_engine(tmp_path: Path) -> None:
    """The engine is not even built, and the message does not repeat it."""
    given = {
        **PRODUCTION,
        "root_secret": "changeme-changeme-changeme",
        "database": f"sqlite:///{tmp_path / 'o.db'}",
    }
    settings = load(RIBS, WORLD, given)
    with pytest.raises(Misuse, match="root_secret is weak") as caught:
        Engine(settings, RIBS, WORLD)
    assert "changeme" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_development_makes_its_own_secret(tmp_path: Path) -> None:
    """The first start makes data folder (0700) and secret (0600) whatever the umask is; the second one reads it."""
    folder = tmp_path / "data"
    with umask(0):
        first = load(RIBS, WORLD, {"dev": True, "data": folder})
    assert mode(folder) == 0o700
    secret = folder / "root-secret"
    assert mode(secret) == 0o600
    root = first.of(EngineSettings).root_secret
    assert root is not None
    assert root.matches(secret.read_text().strip())
    again = load(RIBS, WORLD, {"dev": True, "data": str(folder)}).of(EngineSettings)
    assert again.root_secret is not None
    assert again.root_secret.matches(root)
    assert again.database == f"sqlite:///{folder / 'ostiary.db'}"
    assert first.of(HttpSettings).base_url == "http://127.0.0.1:8000"


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o644, 0o620, 0o601])
def test_a_secret_that_others_can_read(tmp_path: Path, bits: int) -> None:
    """A file that the group or anybody can touch is refused with the command that mends it."""
    load(RIBS, WORLD, {"dev": True, "data": tmp_path})
    secret = tmp_path / "root-secret"
    before = secret.read_text()
    secret.chmod(bits)
    with pytest.raises(Misuse, match=r"can be read by others: run `chmod 600 .*root-secret`"):
        load(RIBS, WORLD, {"dev": True, "data": tmp_path})
    assert secret.read_text() == before
    secret.chmod(0o600)
    load(RIBS, WORLD, {"dev": True, "data": tmp_path})


def test_a_secret_beside_the_database(tmp_path: Path) -> None:
    """Without a data folder the secret stands beside the SQLite file; one given by hand needs no file."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    load(RIBS, WORLD, {"dev": True, "database": url})
    assert [path.name for path in tmp_path.iterdir()] == ["app.db.root-secret"]
    (tmp_path / "app.db.root-secret").unlink()
    given = load(RIBS, WORLD, {"dev": True, "database": url, "root_secret": PRODUCTION["root_secret"]})
    assert not list(tmp_path.iterdir())
    assert "Secret(***)" in repr(given.of(EngineSettings))


def test_settings_cannot_be_changed() -> None:
    """What was checked at start stays as it was checked."""
    settings = load(RIBS, WORLD, PRODUCTION)
    for group in settings.groups:
        for item, _ in declared(group):
            with pytest.raises(AttributeError):
                setattr(settings.of(group), item.name, None)


def test_groups_hold_only_known_kinds() -> None:
    """Every setting of every rib can be read from words: none has a type that nothing can coerce."""
    for group in GROUPS:
        for item, kind in declared(group):
            sample: Any = getattr(Settings(GROUPS, {}).of(group), item.name)
            if sample is None or isinstance(sample, Secret):
                continue
            words = ",".join(map(str, sample)) if isinstance(sample, tuple) else written(sample)
            assert getattr(Settings(GROUPS, {item.name: words}).of(group), item.name) == sample, (
                item.name,
                kind,
            )


def written(value: Any) -> str:
    """A value as somebody would write it into an environment."""
    seconds = getattr(value, "total_seconds", None)
    return f"{int(seconds() * 1000)}ms" if seconds else str(value)
