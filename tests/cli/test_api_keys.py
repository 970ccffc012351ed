"""`ostiary api-keys`: keys of services, which no way in takes, and anybody's key revoked by whoever has found it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ostiary.core.accounts import accounts, services
from ostiary.kernel.errors import Refused
from ostiary.testing import Kit, running
from tests.cli.test_command_line import Terminal, terminal
from tests.core.signin.stage import changed
from tests.features.api_keys.stage import ANNA, Host, code_of, make, resolve
from tests.support.databases import MigratedFile
from tests.support.server import ROOT_SECRET, production

__all__ = ["terminal"]  # a fixture


async def _used(url: str, folder: Path, *keys: str) -> dict[str, Any]:
    """What a host answers to keys of a service, and what is known of it."""
    async with running(folder, database=url, root_secret=ROOT_SECRET) as kit:
        host, found = Host(kit), {}
        for key in keys:
            client = host.client(key)
            paths = ("/who", "/read", "/user", "/maybe", "/session")
            found[key] = [code_of(await client.get(path)) for path in paths]
        if not code_of(await host.client(keys[0]).get("/who")):
            await _nobodys(kit, (await resolve(kit, keys[0])).account.id)
        return found


async def _nobodys(kit: Kit, service_id: str) -> None:
    """No door opens for a service: the gate of every way in refuses its account."""
    account = await changed(kit, lambda change: accounts.lock(change, service_id))
    assert account is not None
    assert account.is_service
    assert account.email is None
    assert accounts.why_barred(account, None) == "account is a service's"
    with pytest.raises(Refused, match="invalid_credentials"):
        await changed(kit, lambda change: accounts.lock_active(change, service_id))
    for typed in ("ci", "service:ci"):
        assert await accounts.find(kit.engine.core.database, typed) is None
        answer = await kit.browser().post("/auth/login", json={"identifier": typed, "password": "x" * 20})
        assert answer.status_code in (401, 422)


async def _made(url: str, folder: Path) -> str:
    """A key of Anna's."""
    async with running(folder, database=url, root_secret=ROOT_SECRET) as kit:
        made = await make(await kit.signed_in(ANNA))
        key: str = made["key"]
        return key


async def _told(url: str, folder: Path, key: str) -> list[str]:
    """What Anna is mailed about her key that was revoked."""
    async with running(folder, database=url, root_secret=ROOT_SECRET) as kit:
        with pytest.raises(Refused, match="api_key_invalid"):
            await resolve(kit, key)
        await kit.mail_to(ANNA)
        return [mail["subject"] for mail in kit.mailbox.messages()]


def test_the_keys_of_a_service(terminal: Terminal, database_url: str, tmp_path: Path) -> None:
    """Made with the roles that it needs, used as nobody's person, rotated and revoked; mistakes exit with 1 or 2."""
    given = production() | {"database": database_url}
    assert terminal.run("roles", "define", "fetcher", "--grants", "notes:*", **given).code == 0
    create = ("api-keys", "create", "Fetch notes", "--service", "ci", "--scope", "notes:read")
    beyond = terminal.run(*create, **given)
    assert (beyond.code, "Traceback" in beyond.err) == (1, False)
    assert terminal.run("api-keys", "list", "service:ci", **given).code == 2, (
        "what is refused leaves no service"
    )
    assert terminal.run(*create, "--role", "nothing", **given).code == 2
    made = json.loads(terminal.run(*create, "--role", "fetcher", "--json", **given).out)
    assert made["scopes"] == ["notes:read"]
    assert made["key"].startswith(f"{made['prefix']}_")
    again = terminal.run(*create, **given)
    assert again.code == 0, "it holds the role by now"
    assert terminal.run("roles", "explain", "service:ci", "notes:write", **given).code == 0

    rotated = json.loads(
        terminal.run("api-keys", "rotate", made["prefix"], "--service", "ci", "--json", **given).out
    )
    used = asyncio.run(_used(database_url, tmp_path, made["key"], rotated["key"], again.out.strip()))
    assert set(map(tuple, used.values())) == {("", "", "person_required", "", "session_required")}
    assert terminal.run("api-keys", "rotate", made["id"], "--service", "other", **given).code == 2
    listed = json.loads(terminal.run("api-keys", "list", "service:ci", "--json", **given).out)
    assert {one["id"] for one in listed["api_keys"]} >= {made["id"], rotated["id"]}
    assert rotated["key"] not in terminal.run("api-keys", "list", "service:ci", **given).out

    assert terminal.run("roles", "revoke", "service:ci", "fetcher", **given).code == 0
    assert terminal.run("api-keys", "revoke", made["id"], **given).code == 0
    assert terminal.run("api-keys", "revoke", made["id"], **given).code == 1
    used = asyncio.run(_used(database_url, tmp_path, rotated["key"], made["key"]))
    assert used[rotated["key"]][:2] == ["", "permission_denied"]
    assert used[made["key"]][:2] == ["api_key_invalid", "api_key_invalid"]


def test_a_key_that_somebody_found(terminal: Terminal, migrated_file: MigratedFile, tmp_path: Path) -> None:
    """What is shown of a key is enough to revoke it, whosever it is; its owner is told, and nobody's key is none."""
    database_url = migrated_file.copy(tmp_path / "ostiary.db")
    given = production() | {"database": database_url}
    key = asyncio.run(_made(database_url, tmp_path))
    shown = key.rpartition("_")[0]
    assert terminal.run("api-keys", "revoke", "ost_live_nonsense", **given).code == 2
    assert terminal.run("api-keys", "list", ANNA, **given).out.startswith(shown)
    assert terminal.run("api-keys", "revoke", shown, **given).code == 0
    assert terminal.run("api-keys", "list", ANNA, **given).out == f"{ANNA} has no API keys\n"
    subjects = asyncio.run(_told(database_url, tmp_path, key))
    assert "An API key of your ostiary account was revoked" in subjects


@pytest.mark.parametrize("name", ["", "CI", "a" * 65, "two words", "1st", "ci:x"])
def test_names_of_services(name: str) -> None:
    """A name is lower case, one word and bounded, so that it is told from an address."""
    with pytest.raises(Exception, match="no name of a service"):
        services.check_name(name)
