"""What importing a part of ostiary really loads, read off `sys.modules` in a process of its own.

An import that runs through a package's `__init__` escapes a linter that reads files; it does not escape this.
"""

import subprocess
import sys
from collections.abc import Collection

import pytest

from tests.support.tree import PACKAGE, module_name, sources

WEB = {"aiohttp", "django", "fastapi", "flask", "granian", "litestar", "starlette", "uvicorn", "werkzeug"}
DATABASE = {"aiosqlite", "alembic", "asyncpg", "psycopg", "sqlalchemy", "sqlite3"}
CALLS_OUT = {"aiosmtplib", "httpcore2", "httpx", "httpx2", "requests", "urllib3"}
SLOW = {"jinja2", "pydantic_settings", "typer"}

# Alembic executes this file inside a migration; it cannot be imported.
NOT_IMPORTABLE = {"ostiary.storage.migrations.env"}


def modules_under(*layers: str) -> list[str]:
    """Return the importable modules of some layers, at least one of each."""
    found: list[str] = []
    for layer in layers:
        here = [module_name(path) for path in sources() if path.is_relative_to(PACKAGE / layer)]
        assert here, f"nothing under {layer}"
        found += here
    return [name for name in found if name not in NOT_IMPORTABLE]


def judges_and_records() -> list[str]:
    """Return every rib's `flow` and `store`, the parts that work without any door."""
    return [
        module_name(path)
        for path in sources()
        if path.is_relative_to(PACKAGE / "features")
        and any(part in {"flow", "store"} for part in path.relative_to(PACKAGE).with_suffix("").parts)
    ]


def loaded_by(modules: Collection[str], *, among: set[str]) -> set[str]:
    """Import `modules` in a fresh interpreter and return which of `among` that loaded."""
    script = "\n".join(["import sys", *(f"import {name}" for name in modules), "print(*sys.modules)"])
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return among & set(done.stdout.split())


def test_the_probe_sees_what_is_loaded() -> None:
    """The probe would notice a web framework."""
    assert loaded_by(["fastapi"], among=WEB) == {"fastapi", "starlette"}


@pytest.mark.parametrize("layer", ["kernel", "protocols", "storage", "core"])
def test_lower_layers_load_no_web_framework(layer: str) -> None:
    """The layers below `http` serve a CLI and a worker as well as a web server."""
    assert loaded_by(modules_under(layer), among=WEB) == set()


def test_flows_and_stores_load_no_web_framework() -> None:
    """A rib's decisions and records are the same behind every door."""
    assert loaded_by(judges_and_records(), among=WEB) == set()


@pytest.mark.parametrize("layer", ["kernel", "protocols"])
def test_kernel_and_protocols_stay_light(layer: str) -> None:
    """Pure knowledge loads no database, no client and nothing slow: the verifier stands on it."""
    assert loaded_by(modules_under(layer), among=WEB | DATABASE | CALLS_OUT | SLOW) == set()


def test_the_verifier_loads_no_database_and_no_server() -> None:
    """A service that only checks tokens pays for nothing else, and for its HTTP client only with the first call."""
    assert (
        loaded_by(modules_under("verifier"), among=WEB | DATABASE | CALLS_OUT | SLOW | {"pydantic"}) == set()
    )


def test_importing_ostiary_is_cheap() -> None:
    """`import ostiary` loads what is asked for later, not now."""
    assert loaded_by(["ostiary"], among=WEB | DATABASE | CALLS_OUT | SLOW | {"argon2", "pydantic"}) == set()


def test_translations_need_no_babel() -> None:
    """Babel collects and compiles messages; an installation that only reads them does without it. And who has no file
    of places does not wait for its reader."""
    assert loaded_by(["ostiary.testing", "ostiary.cli.main"], among={"babel", "maxminddb"}) == set()


def test_an_integration_loads_its_own_framework_alone() -> None:
    """Who embeds ostiary in one framework need not have another one; Django's is there without REST framework."""
    frameworks = {"django", "flask", "rest_framework", "werkzeug"}
    assert loaded_by(["ostiary.integrations.fastapi"], among=frameworks) == set()
    assert loaded_by(["ostiary.integrations.django"], among=frameworks) == {"django"}
    assert loaded_by(["ostiary.integrations.flask"], among=frameworks) == {"flask", "werkzeug"}
