"""The bench is run by hand; here only that it still runs. Its figures are judged by people, never by a test."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.report import APART, placed

ROOT = Path(__file__).parents[2]
ROWS = (
    "bare ASGI hello",
    "bare Starlette hello",
    "bare FastAPI hello",
    "session check, SQLite",
    "sign-in beyond the hash, SQLite",
    "sign-in with its hash, SQLite",
    "registration beyond the hash, with its mail, SQLite",
    "bare ASGI app beside it, SQLite",
    "register",
    "verify the address",
    "sign in",
    "session check",
    "sign out",
    "refresh",
    "one password hash with the default argon2id, CPU ms",
    "`import ostiary`, ms",
    "`import ostiary.verifier`, ms",
    "an access token (ES256) judged by the verifier, CPU µs",
    "the same token again",
    "the same by PyJWT",
    "the same by joserfc",
    "a permission, by an API key",
    "a mistyped API key",
    "memory of `ostiary serve`, SQLite: after its start, MiB",
)


@pytest.mark.slow
def test_the_bench_measures_every_row() -> None:
    """One short round on SQLite prints every row with figures, and writes nothing unless told to."""
    kept = ROOT / "bench" / "RESULTS.md"
    before = kept.read_bytes() if kept.exists() else None
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    rows = {}
    for line in done.stdout.splitlines():
        if line.startswith("| "):
            name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            rows[name] = cells
    for name in ROWS:
        assert any(character.isdigit() for character in rows[name][0]), name
    assert (kept.read_bytes() if kept.exists() else None) == before


def test_a_run_replaces_its_own_section() -> None:
    """What one run writes leaves the sections of other runs as they were."""
    title, other, *_ = APART
    whole, section = "# All\n\n## Some\n\n1\n", f"{title}\n\n2\n"
    both = placed(whole, section, title)
    assert both == f"{whole}\n{section}"
    assert placed(both, whole.replace("1", "3")) == both.replace("1", "3")
    assert placed(both, section.replace("2", "4"), title) == both.replace("2", "4")
    assert placed(both, f"{other}\n\n5\n", other) == f"{both}\n{other}\n\n5\n"
    assert placed("", whole) == whole


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("mail_trouble", ("| SQLite, mails leave | ", "| SQLite, it stalls | ")),
        (
            "guards",
            (
                "| FastAPI: /user by cookie | ",
                "| Flask: /may by token | ",
                "| Django, ASGI: /may by token | ",
                "| a thing that a policy allows | ",
                "| SQLite: `where`, one query | ",
            ),
        ),
        (
            "revoking",
            (
                "| a refresh, CPU µs of the server (target ≤ 1000) | ",
                "| an ended session is told after, ms | ",
            ),
        ),
    ],
)
def test_what_has_a_run_of_its_own_is_measured(module: str, names: tuple[str, ...]) -> None:
    """One short round on SQLite prints its rows with figures, and writes nothing unless told to."""
    kept = ROOT / "bench" / "RESULTS.md"
    before = kept.read_bytes()
    command = [sys.executable, "-m", f"bench.{module}", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    for name in names:
        assert done.stdout.partition(name)[2][:1].isdigit(), done.stdout
    assert kept.read_bytes() == before
