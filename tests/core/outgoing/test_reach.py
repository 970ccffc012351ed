"""Which addresses may be called: a table."""

from ipaddress import ip_address, ip_network

import pytest

from ostiary.core.outgoing.reach import Reach
from ostiary.core.outgoing.settings import OutgoingSettings
from ostiary.kernel.errors import Misuse
from ostiary.kernel.settings import Settings

PUBLIC = [
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "168.63.129.17",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "203.0.112.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "2a00:1450::1",
]
CLOSED = [
    ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "unspecified"),
    ("10.0.0.1", "private"),
    ("100.64.0.1", "shared by a carrier (CGNAT)"),
    ("100.100.100.200", "shared by a carrier (CGNAT)"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("168.63.129.16", "a cloud's own service"),
    ("169.254.169.254", "link-local"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.0.0.192", "reserved for protocols"),
    ("192.0.2.1", "documentation"),
    ("192.88.99.1", "a relay of 6to4"),
    ("192.168.1.1", "private"),
    ("198.18.0.1", "benchmarking"),
    ("198.51.100.7", "documentation"),
    ("203.0.113.7", "documentation"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("::7f00:1", "not a public address"),
    ("::ffff:127.0.0.1", "an IPv4 address inside IPv6"),
    ("::ffff:8.8.8.8", "an IPv4 address inside IPv6"),
    ("::ffff:0:10.0.0.1", "not a public address"),
    ("64:ff9b::7f00:1", "an IPv4 address inside IPv6 (NAT64)"),
    ("64:ff9b:1::a00:1", "an IPv4 address inside IPv6 (NAT64)"),
    ("100::1", "not a public address"),
    ("2001::1", "an IPv4 address inside IPv6 (Teredo)"),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "an IPv4 address inside IPv6 (Teredo)"),
    ("2001:2::1", "reserved for protocols"),
    ("2001:20::1", "reserved for protocols"),
    ("2001:db8::1", "documentation"),
    ("2002:7f00:1::1", "an IPv4 address inside IPv6 (6to4)"),
    ("3fff::1", "documentation"),
    ("4000::1", "not a public address"),
    ("5f00::1", "not a public address"),
    ("fc00::1", "private"),
    ("fd00:ec2::254", "private"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("fec0::1", "private"),
    ("ff02::1", "multicast"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_called(address: str) -> None:
    """What stands beside a closed range is open."""
    assert Reach().why_not(ip_address(address)) == ""


@pytest.mark.parametrize(("address", "why"), CLOSED)
def test_all_others_may_not(address: str, why: str) -> None:
    """L18: private, local, shared, reserved, and IPv4 in whatever wrapping."""
    assert Reach().why_not(ip_address(address)) == why


@pytest.mark.parametrize(
    ("allow", "address", "may"),
    [
        ("10.1.2.0/24", "10.1.2.3", True),
        ("10.1.2.0/24", "10.1.3.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("10.0.0.0/8", "::ffff:10.0.0.1", False),  # another door to the same host stays shut
        ("fd00::/8", "fd12::1", True),
        ("fd00::/8", "fe80::1", False),
        ("64:ff9b::/96", "64:ff9b::808:808", True),  # a network that lives on NAT64
        ("64:ff9b::/96", "64:ff9b::7f00:1", False),
        ("64:ff9b::/96", "64:ff9b::a9fe:a9fe", False),
        ("2002::/16", "2002:808:808::1", True),
        ("2002::/16", "2002:a00:1::1", False),
        ("::ffff:0:0/96", "::ffff:192.168.0.1", False),
        ("2001::/32", "2001:0:4136:e378:8000:63bf:f5ff:fffe", False),  # Teredo of a client at 10.0.0.1
    ],
)
def test_an_operator_opens_networks(allow: str, address: str, may: bool) -> None:
    """Only what was named, and through a translating network only what is open behind it."""
    reach = Reach(allow=(ip_network(allow),))
    assert (reach.why_not(ip_address(address)) == "") is may


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"])
def test_some_addresses_no_setting_opens(address: str) -> None:
    """Unspecified, multicast and broadcast lead to no server, or to this one by an odd name."""
    reach = Reach(allow=(ip_network("0.0.0.0/0"), ip_network("::/0")), loopback=True)
    assert reach.why_not(ip_address(address)) != ""


@pytest.mark.parametrize(
    ("address", "may"), [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.1", False)]
)
def test_development_opens_this_machine_alone(address: str, may: bool) -> None:
    """Loopback, and no other network."""
    assert (Reach(loopback=True).why_not(ip_address(address)) == "") is may


def reach_of(**given: object) -> Reach:
    return Settings([OutgoingSettings], given).of(OutgoingSettings).reach(dev=False)


def test_settings_say_what_may_be_called() -> None:
    """From words of the environment to a reach; nothing internal unless it was said."""
    assert reach_of() == Reach()
    assert reach_of(outgoing_allow="10.1.2.0/24, ::1", outgoing_ports="443,8443") == Reach(
        (ip_network("10.1.2.0/24"), ip_network("::1/128")), frozenset({443, 8443})
    )
    assert OutgoingSettings().reach(dev=True).loopback


@pytest.mark.parametrize(
    "given",
    [
        {"outgoing_allow": "internal.example.com"},
        {"outgoing_allow": "10.1.2.3/24"},
        {"outgoing_allow": "0.0.0.0/0"},
        {"outgoing_allow": "::/0"},
        {"outgoing_ports": "0"},
        {"outgoing_ports": "65536"},
        {"outgoing_ports": ""},
    ],
)
def test_settings_that_open_too_much_are_refused(given: dict[str, object]) -> None:
    """Names, host bits, everything, and ports that are none: the message names the setting."""
    with pytest.raises(Misuse, match=next(iter(given))):
        reach_of(**given)
