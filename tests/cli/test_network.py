"""`ostiary network check`: what the rules say of an address, tried before a server gets them."""

import json
from pathlib import Path

from ostiary.testing.template import copy_to
from tests.cli.test_command_line import Terminal, terminal
from tests.support.places import OSLO, atlas
from tests.support.server import production

__all__ = ["terminal"]  # a fixture


def test_an_operator_asks_before_locking_himself_out(terminal: Terminal, tmp_path: Path) -> None:
    """It says for each group what decides and why, exits with 1 for a refusal, and needs no network that is allowed."""
    copy_to(tmp_path / "ostiary.db")
    given = production() | {
        "database": f"sqlite:///{tmp_path / 'ostiary.db'}",
        "geoip_file": str(atlas(tmp_path / "city.mmdb", {"203.0.113.0/24": OSLO})),
        "network_allow": "NO,10.0.0.0/8",
        "admin_network_allow": "10.0.0.0/8",
        "role_networks": "moderator=!203.0.113.128/25",
    }
    everybody = terminal.run("network", "check", "203.0.113.200", **given)
    assert (everybody.code, everybody.out) == (
        0,
        "203.0.113.200 (NO) is allowed\n  everybody: allowed by NO\n",
    )
    admin = terminal.run("network", "check", "203.0.113.200", "--role", "superadmin", **given)
    assert (admin.code, admin.out.splitlines()) == (
        1,
        [
            "203.0.113.200 (NO) is denied",
            "  everybody: allowed by NO",
            "  administrators: denied, something else is allowed, and this is not",
            "  the role moderator: denied by 203.0.113.128/25",
        ],
    )
    nowhere = terminal.run("network", "check", "192.0.2.1", "--json", **given)
    assert nowhere.code == 1
    assert json.loads(nowhere.out) == {
        "address": "192.0.2.1",
        "country": None,
        "allowed": False,
        "groups": [{"group": "everybody", "allowed": False, "why": "country_unknown", "rule": None}],
    }
    assert terminal.run("network", "check", "office.example.com", **given).code == 2
    assert "no role 'boss'" in terminal.run("network", "check", "10.0.0.1", "--role", "boss", **given).err
    mistaken = terminal.run("network", "check", "10.0.0.1", **given | {"network_deny": "10.0.0.1/8"})
    assert (mistaken.code, 'write "10.0.0.0/8"' in mistaken.err) == (2, True)
