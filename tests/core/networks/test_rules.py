"""Network rules, purely: how they are written, what they say of an address, and what the journal is told."""

from datetime import timedelta
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ostiary.core.access.roles import SEEDED, Role, RoleBook
from ostiary.core.networks.networks import administers
from ostiary.core.networks.rules import Allowed, Denied, Listing, Rules, Why, judge, read_address
from ostiary.core.networks.settings import NetworkSettings
from ostiary.core.networks.told import Told
from ostiary.kernel.world import World
from tests.core.signin.stage import StoppedClock

CLOSED = Denied(Why.NOT_LISTED)


def rules(allow: str = "", deny: str = "") -> Rules:
    """Rules as an operator writes them."""
    return Rules(Listing.of(allow.split()), Listing.of(deny.split()))


@pytest.mark.parametrize(
    ("of", "ip", "country", "said"),
    [
        (rules(), "203.0.113.7", "", Allowed()),
        (rules(), "", "", Allowed()),
        (rules(deny="203.0.113.0/24"), "203.0.113.7", "", Denied(Why.DENIED, "203.0.113.0/24")),
        (rules(deny="203.0.113.0/24"), "203.0.114.7", "", Allowed()),
        (rules(deny="203.0.113.0/24"), "::ffff:203.0.113.7", "", Denied(Why.DENIED, "203.0.113.0/24")),
        (rules(deny="203.0.113.0/24"), "", "", Denied(Why.NO_ADDRESS)),
        (rules(deny="203.0.113.0/24"), "testclient", "", Denied(Why.NO_ADDRESS)),
        (rules(deny="NO"), "203.0.113.7", "NO", Denied(Why.DENIED, "NO")),
        (rules(deny="NO"), "203.0.113.7", "DE", Allowed()),
        (rules(deny="NO"), "203.0.113.7", "", Allowed()),
        (rules("10.0.0.0/8"), "10.1.2.3", "", Allowed("10.0.0.0/8")),
        (rules("10.0.0.0/8"), "11.1.2.3", "", CLOSED),
        (rules("10.0.0.0/8"), "2001:db8::1", "", CLOSED),
        (rules("10.0.0.0/8"), "", "", Denied(Why.NO_ADDRESS)),
        (rules("10.0.0.0/8", "10.6.0.0/16"), "10.6.2.3", "", Denied(Why.DENIED, "10.6.0.0/16")),
        (rules("10.6.0.0/16", "10.0.0.0/8"), "10.6.2.3", "", Denied(Why.DENIED, "10.0.0.0/8")),
        (rules("10.0.0.0/8 NO"), "203.0.113.7", "NO", Allowed("NO")),
        (rules("10.0.0.0/8 NO"), "203.0.113.7", "DE", CLOSED),
        (rules("10.0.0.0/8 NO"), "203.0.113.7", "", Denied(Why.COUNTRY_UNKNOWN)),
        (rules("10.0.0.0/8 NO"), "10.0.0.1", "", Allowed("10.0.0.0/8")),
        (rules("NO", "203.0.113.0/24"), "203.0.113.7", "NO", Denied(Why.DENIED, "203.0.113.0/24")),
        (rules("2001:db8::/32"), "2001:db8:5::1", "", Allowed("2001:db8::/32")),
        (rules("2001:db8::/32"), "fe80::1%eth0", "", CLOSED),
        (rules("127.0.0.1 ::1"), "127.0.0.1", "", Allowed("127.0.0.1/32")),
        (rules("10.0.0.0/8"), "127.0.0.1", "", CLOSED),
        (rules("0.0.0.0/0"), "255.255.255.255", "", Allowed("0.0.0.0/0")),
    ],
)
def test_an_address_is_judged(of: Rules, ip: str, country: str, said: Allowed | Denied) -> None:
    """`deny` comes first, a list of what is allowed refuses everything else, and what is not known is not allowed."""
    assert judge(of, read_address(ip), country) == said


def _within(bits: int, number: int, length: int) -> str:
    text = ip_address(number) if bits == 32 else ip_address(number.to_bytes(16, "big"))
    return str(ip_network((text, length), strict=False))


# Few bits vary, so that networks lie within and beside each other.
_few = some.integers(0, 7)
_v4 = some.builds(lambda a, b, n: _within(32, 10 << 24 | a << 16 | b, n), _few, _few, some.integers(8, 32))
_v6 = some.builds(
    lambda a, b, n: _within(128, 0x20010DB8 << 96 | a << 80 | b, n), _few, _few, some.integers(32, 128)
)
_ASKED = (
    "10.0.0.0 10.3.0.5 10.7.0.8 9.255.255.255 11.0.0.0 2001:db8:: 2001:db8:3::5 2001:db9:: ::a03:5"
).split()


@given(some.lists(some.one_of(_v4, _v6), max_size=20), some.sampled_from(_ASKED))
def test_looking_up_is_like_asking_each(networks: list[str], ip: str) -> None:
    """The fast answer is the slow one, for networks of both versions, nested, repeated and side by side."""
    address = ip_address(ip)
    holding = [one for one in networks if address in ip_network(one)]
    found = Listing.of(networks).find(address, "")
    assert bool(found) == bool(holding)
    assert not found or found in holding


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"network_allow": ("10.0.0.1/8",)}, 'network_allow: "10.0.0.1/8" .* write "10.0.0.0/8"'),
        ({"network_deny": ("2001:db8::1/32",)}, 'network_deny: .* write "2001:db8::/32"'),
        ({"network_allow": ("UK",)}, 'network_allow: "UK" .* write "GB"'),
        ({"admin_network_allow": ("QQ",)}, 'admin_network_allow: "QQ" is no code of a country'),
        ({"admin_network_deny": ("no",)}, 'admin_network_deny: .* write "NO"'),
        ({"network_allow": ("NOR",)}, "network_allow: each is a network or an address"),
        ({"network_allow": ("office.example.com",)}, "names of hosts are not accepted"),
        ({"network_allow": ("10.0.0.0/33",)}, "network_allow: each is"),
        ({"network_allow": ("::ffff:10.0.0.0/104",)}, 'write "10.0.0.0/8"'),
        ({"role_networks": ("10.0.0.0/8",)}, 'role_networks: each is a role and one rule, such as "support='),
        ({"role_networks": ("support=10.0.0.1/8",)}, 'role_networks: .* write "10.0.0.0/8"'),
        ({"role_networks": ("Support=NO",)}, "role_networks: each is a role"),
    ],
)
def test_a_mistake_says_how_to_mend_it(given: dict[str, tuple[str, ...]], message: str) -> None:
    """It names the setting, and where it can what was meant."""
    with pytest.raises(ValueError, match=message):
        NetworkSettings(**given)


def test_rules_of_roles_are_put_together() -> None:
    """Several rules of one role are one list of what is allowed and one of what is not."""
    found = NetworkSettings(
        role_networks=(
            "support=10.0.0.0/8",
            "support = ! NO",
            "support=DE",
            "auditor=!RU",
            "v6=2001:db8::/32",
        )
    ).of_roles
    assert found == {
        "support": rules("10.0.0.0/8 DE", "NO"),
        "auditor": rules(deny="RU"),
        "v6": rules("2001:db8::/32"),
    }


def test_who_administers_is_read_off_the_roles() -> None:
    """Whoever is admin, inherits it, may do everything, or anything to people or roles; and nobody else."""
    book = RoleBook.of(
        [
            *SEEDED,
            Role("owner", inherits=("admin",)),
            Role("helpdesk", ("users:unlock",)),
            Role("second-line", inherits=("helpdesk",)),
            Role("god", ("admin:all",)),
            Role("staffing", ("roles:*",)),
            Role("editor", ("posts:*", "userspace:edit")),
        ]
    )
    found = {role for role in book.roles if administers(book, role)}
    assert found == {"admin", "superadmin", "owner", "helpdesk", "second-line", "god", "staffing"}
    assert not administers(book, "gone")


def test_the_journal_is_told_once_an_hour() -> None:
    """Each account and network once an hour, with how many went untold; of strangers a hundred an hour at most, and
    whoever has shown who he is is told all the same."""
    clock = StoppedClock()
    told = Told(World(clock=clock))
    assert [told.tell(None, "192.0.2.1") for _ in range(3)] == [0, None, None]
    assert told.tell("anna", "192.0.2.1") == 2
    assert [told.tell("anna", "192.0.2.1"), told.tell("anna", "192.0.2.2")] == [None, 1]
    flood = [told.tell(None, f"198.51.100.{number}") for number in range(200)]
    assert flood == [0] * 99 + [None] * 101
    assert told.tell("bert", "192.0.2.1") == 101
    clock.turn(timedelta(hours=1))
    assert [told.tell(None, "192.0.2.1"), told.tell("anna", "192.0.2.1")] == [0, 0]
