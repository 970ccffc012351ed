"""One's own roles as JSON and as a page, and the operator's commands."""

import asyncio
import json
from pathlib import Path

from ostiary.testing import Kit, running
from tests.cli.test_command_line import Terminal, terminal
from tests.core.access.test_authority import give
from tests.pages.reading import Page
from tests.support.server import ROOT_SECRET, production

__all__ = ["terminal"]  # a fixture
ANNA = "anna@example.com"


async def test_what_one_holds(kit: Kit) -> None:
    """The default role and what was given, with what each allows; strangers are asked to sign in."""
    anna = await kit.signed_in(ANNA)
    await give(kit, "admin", "organization:<b>")
    held = (await anna.get("/auth/account/roles")).json()["roles"]
    assert [(one["role"], one["scope"]) for one in held] == [("user", ""), ("admin", "organization:<b>")]
    assert held[1]["permissions"] == ["users:*", "sessions:*", "roles:*", "events:*"]
    page = Page(await anna.get("/account/roles"))
    assert page.status == 200
    assert "organization:<b>" in page.text
    assert "users:*" in page.text
    assert (await kit.browser().get("/auth/account/roles")).status_code == 401
    activity = (await anna.get("/auth/account/activity")).json()["activity"]
    assert "You were given the role admin." in [one["words"] for one in activity]


def test_the_operators_commands(terminal: Terminal, database_url: str, tmp_path: Path) -> None:
    """Define, list, grant, explain, revoke, drop: in words and as JSON, with exit codes; mistakes say how to mend."""

    async def sign_up() -> None:
        async with running(tmp_path, database=database_url, root_secret=ROOT_SECRET) as kit:
            await kit.signed_up(ANNA)

    asyncio.run(sign_up())
    given = production() | {"database": database_url}

    def run(*words: str) -> tuple[int, str, str]:
        done = terminal.run("roles", *words, **given)
        assert "Traceback" not in done.err
        return done.code, done.out, done.err

    assert run("explain", ANNA, "notes:read")[0] == 1
    assert run("define", "clerk", "--grants", "notes:*", "--inherits", "moderator", "--about", "x")[0] == 0
    listed = json.loads(run("list", "--json")[1])["roles"]
    assert {one["name"]: one["from"] for one in listed} == {
        "admin": "built in", "clerk": "database", "moderator": "built in", "superadmin": "built in", "user": "built in",
    }  # fmt: skip
    assert run("grant", ANNA, "clerk", "--until", "2999-01-31")[1] == f"{ANNA} holds clerk now\n"
    assert json.loads(run("grant", ANNA, "clerk", "--until", "2999-01-31", "--json")[1])["granted"] is False
    code, out, _ = run("explain", ANNA, "notes:read")
    assert (code, out.splitlines()[0]) == (0, "allowed")
    assert "role clerk until 2999-01-31T00:00:00+00:00: clerk → notes:*" in out
    assert "there is no role 'clark'" in run("grant", ANNA, "clark")[2]
    assert "no account has the address" in run("grant", "bert@example.com", "clerk")[2]
    assert "is no scope" in run("grant", ANNA, "clerk", "--scope", "notes")[2]
    assert "ended already" in run("grant", ANNA, "clerk", "--until", "2020-01-31")[2]
    assert "no permission" in run("explain", ANNA, "notes")[2]
    assert run("define", "clerk", "--inherits", "clerk")[0] == 2
    assert run("revoke", ANNA, "clerk")[1] == f"{ANNA} holds clerk no more\n"
    assert run("revoke", ANNA, "clerk")[1] == f"{ANNA} did not hold clerk\n"
    assert run("drop", "clerk")[1] == "clerk is no more\n"
    assert run("drop", "clerk")[1] == "clerk is not defined in the database\n"
