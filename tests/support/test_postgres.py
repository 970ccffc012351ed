"""The private PostgreSQL is real, whoever provides its programs."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import PostgresServer, system_binaries, wheel_binaries


def one(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def test_databases_belong_to_an_ordinary_role(postgres: PostgresServer) -> None:
    """ostiary is tested without superuser rights."""
    url = postgres.create_database()
    assert one(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    postgres.drop_database(url)


def test_a_template_carries_its_tables(postgres: PostgresServer) -> None:
    """A database made from a template starts with the template's rows."""
    template = postgres.create_database()
    with psycopg.connect(template) as connection:
        connection.execute("CREATE TABLE fact AS SELECT 7 AS n")
    copy = postgres.create_database(template)
    assert one(copy, "SELECT n FROM fact") == 7
    for url in (copy, template):
        postgres.drop_database(url)


def test_a_dropped_database_is_gone_although_somebody_is_connected(postgres: PostgresServer) -> None:
    """Dropping does not wait for connections."""
    url = postgres.create_database()
    with psycopg.connect(url):
        postgres.drop_database(url)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)


@pytest.mark.parametrize("find", [system_binaries, wheel_binaries], ids=["system", "wheel"])
def test_committed_rows_survive_a_crash(find: Callable[[], Path | None]) -> None:
    """Each kind of server starts, is killed, and comes back with what was committed."""
    server = PostgresServer(binaries=find() or wheel_binaries(), durable=True)
    try:
        server.start()
        url = server.create_database()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE fact AS SELECT 7 AS n")
        server.crash()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
        server.start()
        assert one(url, "SELECT n FROM fact") == 7
        folder = server.socket_folder
    finally:
        server.stop()
    assert not folder.exists()


def test_the_server_dies_with_its_test_run() -> None:
    """A killed test run leaves no server behind."""
    script = textwrap.dedent("""
        import time
        from tests.support.postgres import PostgresServer
        server = PostgresServer()
        server.start()
        print(server.admin_url, server.socket_folder, flush=True)
        time.sleep(60)
    """)
    environment = {name: value for name, value in os.environ.items() if name != "TEST_POSTGRES_URL"}
    run = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=environment,
    )
    with run:
        assert run.stdout is not None
        url, folder = run.stdout.readline().split()
        assert one(url, "SELECT 1") == 1
        run.kill()
    pid_file = Path(folder) / "data" / "postmaster.pid"
    deadline = time.monotonic() + 10
    while pid_file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    subprocess.run(["rm", "-rf", folder], check=True)
