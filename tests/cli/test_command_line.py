"""The command line as an operator meets it: help, exit codes, what it prints, what it refuses and what it says then."""

import base64
import json
import logging
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from ostiary.cli import main
from ostiary.core.keys.root import parse_root
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.protocols.jose.keys import SigningKey
from ostiary.storage import migrate
from tests.support.ports import free_port
from tests.support.server import ROOT_SECRET, production


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


class Terminal:
    """Runs commands in this process, with settings of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def run(self, *arguments: str, **settings: object) -> Done:
        """Run one command."""
        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["ostiary", *arguments])
            for name in [name for name in os.environ if name.startswith("OSTIARY_")]:
                patch.delenv(name)
            for name, value in settings.items():
                patch.setenv(f"OSTIARY_{name.upper()}", str(value))
            self._capfd.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = self._capfd.readouterr()
        code = ended.value.code
        return Done(code if isinstance(code, int) else 0, out, err)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    """A terminal; what a command does to logging and umask of its process is undone."""
    root = logging.getLogger()
    handlers, level, ours = list(root.handlers), root.level, logging.getLogger("ostiary").level
    mask = os.umask(0o022)
    os.umask(mask)
    yield Terminal(monkeypatch, capfd)
    os.umask(mask)
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("ostiary").setLevel(ours)


COMMANDS = {
    (): ("serve", "migrate", "root-secret", "passwords", "keys", "mail"),
    ("serve",): ("--dev", "--host", "--port", "--data", "--database", "OSTIARY_<NAME>"),
    ("migrate",): ("--database", "--json", "backup"),
    ("root-secret",): ("backups need both",),
    ("passwords",): ("calibrate",),
    ("passwords", "calibrate"): ("--target", "--json", "OWASP"),
    ("mail",): ("list", "resend", "test"),
    ("mail", "list"): ("--dead", "--limit", "--json", "sealed"),
    ("mail", "resend"): ("[ID]", "--all", "--json", "expired"),
    ("mail", "test"): ("ADDRESS", "--language", "--json", "answered"),
    ("keys",): ("list", "rotate", "retire", "import", "reseal"),
    ("users",): ("unlock", "reset-factors", "enable", "export", "delete"),
    ("users", "export"): ("--database", "as JSON"),
    ("users", "delete"): ("--json", "signing in undoes it"),
    ("users", "enable"): ("--database", "--json", "Make sure whose it is"),
    ("users", "reset-factors"): ("--database", "--json", "Make sure who asks"),
}


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(terminal: Terminal, command: tuple[str, ...], flag: str) -> None:
    """`-h` and `--help` of each command exit with 0 and name its options."""
    done = terminal.run(*command, flag, columns=120)
    assert done.code == 0
    words = " ".join(done.out.split())
    assert [word for word in COMMANDS[command] if word not in words] == []


def test_unknown_commands_and_options_are_misuse(terminal: Terminal) -> None:
    """What is not there exits with 2 and is named."""
    for arguments, named in (
        (("fly",), "fly"),
        (("serve", "--fast"), "--fast"),
        (("serve", "--port", "0"), "--port"),
    ):
        done = terminal.run(*arguments)
        assert done.code == 2
        assert named in done.err
        assert done.out == ""
    assert terminal.run("passwords", "calibrate", "--target", "soon").code == 2
    unknown = terminal.run("serve", "--dev", colour="blue")
    assert (unknown.code, unknown.err) == (2, "ostiary: OSTIARY_COLOUR: there is no such setting\n")


def test_a_new_root_secret_is_one(terminal: Terminal) -> None:
    """What `root-secret` prints, and nothing else, is accepted as a root secret; each one is another."""
    first, second = terminal.run("root-secret").out, terminal.run("root-secret").out
    assert len(parse_root(Secret(first))) == 32
    assert first != second
    assert first.count("\n") == 1


def test_calibration_suggests_settings_that_are_accepted(terminal: Terminal, tmp_path: Path) -> None:
    """`passwords calibrate` prints JSON, never below the OWASP floor, and as variables for people."""
    done = terminal.run("passwords", "calibrate", "--target", "40ms", "--json")
    document = json.loads(done.out)
    assert done.code == 0
    assert document.keys() == {"took_ms", "within_target", "settings"}
    assert document["settings"]["argon2_memory_kib"] * document["settings"]["argon2_time"] >= 19456 * 2
    words = terminal.run("passwords", "calibrate", "--target", "1ms").out
    assert "OSTIARY_ARGON2_MEMORY_KIB=" in words
    assert "the floor itself takes longer than 1ms here; it is not lowered" in words


def test_migrating_twice(terminal: Terminal, empty_database_url: str) -> None:
    """`migrate` says from where to where, as words or JSON, and a second time that there is nothing to do."""
    newest = migrate.newest()
    first = terminal.run("migrate", "--database", empty_database_url, "--json")
    assert (first.code, json.loads(first.out)) == (0, {"before": None, "after": newest})
    again = terminal.run("migrate", database=empty_database_url)
    assert (again.code, again.out) == (0, f"already at revision {newest}\n")


@pytest.mark.parametrize("missing", ["base_url", "root_secret", "smtp_host", "mail_from"])
def test_production_needs_every_setting(terminal: Terminal, tmp_path: Path, missing: str) -> None:
    """Without --dev each missing setting stops the start, is named with its variable, and nothing is written."""
    given = {name: value for name, value in production().items() if name != missing}
    done = terminal.run("serve", "--data", str(tmp_path / "d"), **given)
    assert done.code == 2
    assert f"OSTIARY_{missing.upper()}" in done.err or f"{missing}: " in done.err
    assert "Traceback" not in done.err
    assert list(tmp_path.glob("d/*")) == []


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (("--dev", "--host", "0.0.0.0"), {}, "--dev listens on loopback only, not on 0.0.0.0"),
        (("--dev", "--host", "192.0.2.1"), {"base_url": "http://127.0.0.1:8000"}, "loopback only"),
        (("--dev",), {"base_url": "https://auth.example.test"}, "base_url must be this machine"),
        ((), production() | {"base_url": "http://auth.example.test"}, "must be https"),
        ((), production() | {"base_url": "http://127.0.0.1:8000"}, "must be https"),
        ((), production() | {"root_secret": "change-me"}, "`ostiary root-secret`"),
        ((), production() | {"root_secret": "ab" * 32}, "it repeats itself"),
        ((), production() | {"smtp_host": "mail.example.test"}, "smtp_security"),
        ((), production() | {"argon2_memory_kib": 8}, "argon2"),
        ((), production() | {"session_idle": "soon"}, "session_idle"),
        ((), production() | {"root_secret_file": "/nowhere"}, "both set"),
        ((), {**production(), "smtp_password_file": "/nowhere"}, "OSTIARY_SMTP_PASSWORD_FILE: cannot read"),
        (("--database", "mysql://x/y"), production(), "sqlite:///path/to/file.db"),
    ],
)
def test_a_start_that_is_refused(
    terminal: Terminal, tmp_path: Path, arguments: tuple[str, ...], settings: dict[str, object], says: str
) -> None:
    """Each mistake exits with 2 and one line that says how to mend it, and never shows a secret."""
    done = terminal.run("serve", "--data", str(tmp_path / "d"), *arguments, **settings)
    assert done.code == 2, done.err
    assert says in done.err
    assert done.err.startswith("ostiary: ")
    assert done.err.count("\n") == 1
    assert str(settings.get("root_secret", ROOT_SECRET)) not in done.err


def test_an_unmigrated_postgresql_is_refused(terminal: Terminal, postgres_url: str, tmp_path: Path) -> None:
    """Production never migrates PostgreSQL on its own: it names `ostiary migrate` and leaves the database alone."""
    done = terminal.run("serve", "--database", postgres_url, **production())
    assert done.code == 2
    assert "the database is empty" in done.err
    assert "run `ostiary migrate` (make a backup first)" in done.err
    assert migrate.current(postgres_url) is None
    down = terminal.run(
        "serve", "--database", f"postgresql://u:canary@127.0.0.1:{free_port()}/d", **production()
    )
    assert down.code == 3
    assert "Traceback" not in down.err
    assert "canary" not in down.err


def test_another_root_secret_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    """A database is opened by the root secret that made it; with another one the start says which is needed."""
    taken = socket.create_server(("127.0.0.1", 0))
    with taken:
        port = str(taken.getsockname()[1])
        first = terminal.run("serve", "--data", str(tmp_path), "--port", port, **production())
        assert (first.code, f"cannot listen on 127.0.0.1:{port}" in first.err) == (2, True)
        assert "Traceback" not in first.err
        other = base64.urlsafe_b64encode(os.urandom(32)).decode()
        done = terminal.run(
            "serve", "--data", str(tmp_path), "--port", port, **production() | {"root_secret": other}
        )
    assert done.code == 2
    assert "root_secret does not belong to this database" in done.err
    assert "Traceback" not in done.err
    assert other not in done.err


def test_the_version_is_told(terminal: Terminal) -> None:
    """What is installed, and nothing else, so that a bug report names it."""
    done = terminal.run("--version")
    assert (done.code, done.out.strip()) == (0, version("ostiary"))


def test_keys_by_hand(terminal: Terminal, tmp_path: Path) -> None:
    """Keys are listed, rotated, retired and resealed; what is refused says why and changes nothing."""
    data = ("--data", str(tmp_path), "--json")

    def listed() -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(terminal.run("keys", "list", *data).out)["keys"]
        return found

    made = terminal.run("keys", "list", "--dev", "--data", str(tmp_path))
    assert made.code == 0
    before = listed()
    assert {key["state"] for key in before if key["purpose"] != "signing"} == {"current"}
    assert {key["state"] for key in before if key["purpose"] == "signing"} == {"current", "next"}
    assert all(key["id"] in made.out for key in before)
    rotated = json.loads(terminal.run("keys", "rotate", "csrf", *data).out)
    assert rotated["purpose"] == "csrf"
    old, new = [key for key in listed() if key["purpose"] == "csrf"]
    assert (old["state"], new["id"], new["state"]) == ("current", rotated["key_id"], "next")
    assert terminal.run("keys", "rotate", "nothing", *data).code == 2
    assert terminal.run("keys", "retire", "nothing", *data).code == 1
    pepper = next(key["id"] for key in before if key["purpose"] == "pepper")
    refused = terminal.run("keys", "retire", pepper, *data)
    assert (refused.code, "would be lost" in refused.err) == (2, True)
    assert len(listed()) == len(before) + 1
    assert json.loads(terminal.run("keys", "retire", old["id"], *data).out)["purpose"] == "csrf"
    assert old["id"] not in {key["id"] for key in listed()}
    assert json.loads(terminal.run("keys", "reseal", *data).out) == {"resealed": 0}
    taken = tmp_path / "own.pem"
    taken.write_bytes(SigningKey.generate(World()).to_pem().reveal_bytes())
    assert terminal.run("keys", "import", str(tmp_path / "nothing.pem"), *data).code == 2
    imported = json.loads(terminal.run("keys", "import", str(taken), *data).out)
    assert imported["imported"]
    assert json.loads(terminal.run("keys", "rotate", *data).out)["key_id"] == imported["key_id"]
    another = terminal.run("root-secret").out.strip()
    given = {"root_secret": another, "root_secret_previous": (tmp_path / "root-secret").read_text().strip()}
    resealed = terminal.run("keys", "reseal", "--dev", *data, **given)
    assert json.loads(resealed.out) == {
        "resealed": sum(key["purpose"] != "signing" for key in listed_with(terminal, tmp_path, another))
    }
    assert terminal.run("keys", "list", *data).code == 2, "the old root secret opens nothing any more"


def listed_with(terminal: Terminal, folder: Path, root_secret: str) -> list[dict[str, str]]:
    """The keys as another root secret opens them."""
    done = terminal.run("keys", "list", "--dev", "--data", str(folder), "--json", root_secret=root_secret)
    found: list[dict[str, str]] = json.loads(done.out)["keys"]
    return found
