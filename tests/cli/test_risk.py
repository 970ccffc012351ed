"""`ostiary risk explain`: what would be unusual about a sign-in, and what a policy would do about it."""

import asyncio
import json
from pathlib import Path
from typing import Any

from ostiary.testing import running
from tests.cli.test_command_line import Terminal, terminal
from tests.core.signin.stage import dump
from tests.support.places import OSLO, atlas
from tests.support.server import ROOT_SECRET, production

__all__ = ["terminal"]  # a fixture

ANNA = "anna@example.com"


async def _prepare(url: str, folder: Path, **settings: Any) -> None:
    async with running(folder, database=url, root_secret=ROOT_SECRET, **settings) as kit:
        await kit.signed_in(ANNA)


async def _rows(url: str, folder: Path) -> dict[str, Any]:
    async with running(folder, database=url, root_secret=ROOT_SECRET) as kit:
        return await dump(kit, without=("keyring_state",))


def test_an_operator_asks_before_a_server_gets_the_policy(
    terminal: Terminal, database_url: str, tmp_path: Path
) -> None:
    """Each signal with its reason and the measure of all, by the settings of the command; nothing is written."""
    asyncio.run(_prepare(database_url, tmp_path))
    places = {"192.0.2.0/24": ("NG", 6.45, 3.39, "Lagos"), "203.0.113.0/24": OSLO}
    given = production() | {
        "database": database_url,
        "geoip_file": str(atlas(tmp_path / "places.mmdb", places)),
    }
    before = asyncio.run(_rows(database_url, tmp_path))
    said = terminal.run("risk", "explain", ANNA, "--from", "203.0.113.7", **given)
    assert said.code == 0, said.err
    head, device, country, travel = said.out.splitlines()
    assert head == f"{ANNA} from 203.0.113.7: ask"
    assert device.startswith("  new_device: The account has not seen")
    assert country == "  new_country: Nobody has signed in to the account from this country before: Oslo, NO."
    assert travel.startswith("  impossible_travel: The sign-in before was from Lagos, NG")
    policy = {"risk_impossible_travel": "refuse"}
    told = terminal.run("risk", "explain", ANNA, "--from", "203.0.113.7", "--json", **given | policy)
    assert json.loads(told.out)["outcome"] == "refuse"
    home = terminal.run("risk", "explain", ANNA, "--from", "192.0.2.10", "--json", **given)
    assert json.loads(home.out)["outcome"] in {"allow", "notify"}
    assert terminal.run("risk", "explain", "nobody@example.com", "--from", "192.0.2.10", **given).code == 1
    assert terminal.run("risk", "explain", ANNA, "--from", "office", **given).code == 2
    assert asyncio.run(_rows(database_url, tmp_path)) == before
