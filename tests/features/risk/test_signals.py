"""Each signal as a table of cases: what is unusual about a visit beside those before, and the words for it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ostiary.core.device import Device
from ostiary.core.places.atlas import Place
from ostiary.core.signin.watch import Signal
from ostiary.features.risk import signals
from ostiary.features.risk.networks import ListedNetworks
from ostiary.features.risk.signals import Visit
from ostiary.kernel.errors import Misuse
from ostiary.kernel.world import World
from tests.core.signin.stage import StoppedClock

NINE = datetime(2026, 5, 4, 9, tzinfo=UTC)
LAGOS = Place("NG", 6.45, 3.39, 20, "Lagos")
OSLO = Place("NO", 59.91, 10.75, 20, "Oslo")
BERGEN = Place("NO", 60.39, 5.32, 20, "Bergen")
SOMEWHERE_IN_NIGERIA = Place("NG")
VAGUE = Place("US", 37.75, -97.82, 6000)  # as files say it of a country's networks
PHONE, LAPTOP = Device("iPhone", "Mobile Safari 18"), Device("Linux", "Firefox 140")


def visit(place: Place | None, minutes: int = 0, ip: str = "192.0.2.1", device: Device = LAPTOP) -> Visit:
    return Visit(NINE + timedelta(minutes=minutes), ip, device, place)


@pytest.mark.parametrize(
    ("before", "now", "km"),
    [
        ([visit(LAGOS)], visit(OSLO, 40), 5936),
        ([visit(LAGOS)], visit(OSLO, 6 * 60 + 30), 5936),
        ([visit(LAGOS)], visit(OSLO, 6 * 60 + 40), None),
        # nobody is in two places at once, whichever clock was ahead
        ([visit(LAGOS)], visit(OSLO), 5936),
        ([visit(LAGOS, 5)], visit(OSLO, 2), 5936),
        # near enough for a plane, a train, or a network that lets people out elsewhere
        ([visit(OSLO)], visit(BERGEN, 1), None),
        ([visit(OSLO, ip="192.0.2.1")], visit(OSLO, ip="198.51.100.1"), None),
        # only the last place that is known counts
        ([visit(OSLO, -600), visit(LAGOS), visit(None, 30)], visit(OSLO, 40), 5936),
        ([visit(LAGOS, -600), visit(OSLO)], visit(OSLO, 40), None),
        # what nobody knows accuses nobody
        ([visit(LAGOS)], visit(None, 40), None),
        ([visit(None)], visit(OSLO, 40), None),
        ([visit(SOMEWHERE_IN_NIGERIA)], visit(OSLO, 40), None),
        ([visit(LAGOS)], visit(SOMEWHERE_IN_NIGERIA, 40), None),
        ([visit(OSLO)], visit(VAGUE, 1), 1341),
        ([visit(Place("US", 37.75, -97.82, 8000))], visit(OSLO, 1), None),
        ([], visit(OSLO), None),
    ],
)
def test_impossible_travel(before: list[Visit], now: Visit, km: int | None) -> None:
    """Said when more than 900 km/h would be needed for what both radii leave of the way, and that is 500 km or more."""
    found = signals.impossible_travel(now, before)
    assert (found.values["km"] if found else None) == km


def test_it_explains_itself() -> None:
    """The sentence names both places, the moment, the way and the time that it took."""
    found = signals.impossible_travel(visit(OSLO, 40), [visit(LAGOS)])
    assert found is not None
    assert found.reason == (
        "The sign-in before was from Lagos, NG (4 May 2026, 09:00 UTC), this one is from Oslo, NO: nobody travels "
        "5936 km in 40 minutes."
    )
    assert signals.many_failures(1, 1) == Signal("many_failures", {"num": 1})
    assert Signal("many_failures", {"num": 1}).reason == "1 try before it failed."
    assert Signal("many_failures", {"num": 7}).reason == "7 tries in a row before it failed."


@pytest.mark.parametrize(
    ("before", "now", "where"),
    [
        ([visit(OSLO)], visit(LAGOS), "Lagos, NG"),
        ([visit(OSLO)], visit(SOMEWHERE_IN_NIGERIA), "NG"),
        ([visit(OSLO), visit(SOMEWHERE_IN_NIGERIA)], visit(LAGOS), None),
        ([visit(OSLO)], visit(BERGEN), None),
        ([visit(OSLO)], visit(None), None),
        ([visit(None)], visit(OSLO), None),
        ([], visit(OSLO), None),
        ([visit(OSLO)], visit(Place("", 1.0, 1.0)), None),
    ],
)
def test_new_country(before: list[Visit], now: Visit, where: str | None) -> None:
    """Said when it is known where this is, and where others were, and none of them was there."""
    found = signals.new_country(now, before)
    assert (found.values["place"] if found else None) == where


@pytest.mark.parametrize(
    ("before", "now", "is_new"),
    [
        ([], visit(None), True),
        ([visit(None)], visit(None), False),
        ([visit(None, device=PHONE)], visit(None), True),
        ([visit(None, ip="198.51.100.1")], visit(None), True),
        ([visit(None, ip="198.51.100.1"), visit(None)], visit(None), False),
        # a phone's own /64, and the same address through an IPv6 socket
        ([visit(None, ip="2001:db8::1")], visit(None, ip="2001:db8::ffff"), False),
        ([visit(None, ip="2001:db8::1")], visit(None, ip="2001:db8:0:1::1"), True),
        ([visit(None, ip="::ffff:192.0.2.1")], visit(None), False),
        ([visit(None, device=Device("Linux", "Firefox 139"))], visit(None), False),
        ([visit(None, device=Device("Linux", "Chrome 139"))], visit(None), True),
    ],
)
def test_new_device(before: list[Visit], now: Visit, *, is_new: bool) -> None:
    """Said of another kind of browser or another network; browsers update themselves."""
    assert (signals.new_device(now, before) is not None) is is_new


def days(count: int, *, hour: int, each: int = 2, place: Place | None = None) -> list[Visit]:
    return [
        visit(place, minutes=-1440 * day + 60 * (hour - 9) + number)
        for day in range(1, count + 1)
        for number in range(each)
    ]


TOKYO = Place("JP", 35.68, 139.69, 20, "Tokyo")


@pytest.mark.parametrize(
    ("before", "hour", "place", "said"),
    [
        (days(7, hour=9), 15, None, "15:00 UTC"),
        (days(7, hour=9), 12, None, None),
        (days(7, hour=23), 1, None, None),  # midnight is no wall
        (days(7, hour=23), 4, None, "04:00 UTC"),
        (days(5, hour=9), 20, None, None),  # ten visits are no habit
        (days(4, hour=9, each=5), 20, None, None),  # nor are four days
        (days(6, hour=9, each=1) + days(6, hour=18, each=1), 19, None, None),
        # by the sun where it is known: nine in the morning in Tokyo is midnight by UTC, and is what it always was
        (days(7, hour=9, place=OSLO), 0, TOKYO, None),
        (days(7, hour=9, place=OSLO), 9, TOKYO, "18:00"),
        (days(7, hour=9, place=OSLO), 9, None, None),
    ],
)
def test_unusual_hour(before: list[Visit], hour: int, place: Place | None, said: str | None) -> None:
    """Said when no visit of many, on several days, was within three hours of it."""
    found = signals.unusual_hour(visit(place, 60 * (hour - 9)), before)
    assert (found.values["hour"] if found else None) == said


async def test_the_list_is_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A replaced list counts within a minute; one that is broken or gone is told of once, and the old one stays."""
    clock = StoppedClock()
    file = tmp_path / "exits.txt"
    file.write_text("# Tor exits\n192.0.2.0/24  # one\n\n2001:db8::/32\n")
    listed = ListedNetworks(World(clock=clock), file)
    assert "192.0.2.1" in listed

    def put(words: str) -> None:
        (tmp_path / "new").write_text(words)
        (tmp_path / "new").rename(file)

    async def after_a_minute() -> None:
        clock.turn(timedelta(minutes=1))
        await listed.refresh()

    await after_a_minute()
    put("198.51.100.0/24\n")
    await listed.refresh()
    assert "192.0.2.1" in listed, "looked at less than a minute ago"
    await after_a_minute()
    assert ("192.0.2.1" in listed, "198.51.100.1" in listed) == (False, True)
    put("198.51.100.0/24\n198.51.100.1/24\n")
    for _ in range(2):
        await after_a_minute()
    assert "198.51.100.1" in listed
    assert [record.message.count("line 2") for record in caplog.records] == [1]
    file.unlink()
    await after_a_minute()
    assert "198.51.100.1" in listed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (None, "cannot read"),
        ("example.com\n", "line 1"),
        ("192.0.2.1/24\n", 'write "192.0.2.0/24"'),
        ("192.0.2.0/24\nNO\n", "line 2: NO is a country"),
        ("\xff", "line 1"),
    ],
)
def test_a_list_that_cannot_be_used(tmp_path: Path, words: str | None, said: str) -> None:
    """A start with a missing or broken list says where it is wrong, and how to mend it."""
    file = tmp_path / "exits.txt"
    if words is not None:
        file.write_text(words, encoding="latin-1")
    with pytest.raises(Misuse, match=rf"risk_networks_file: .*{said}.*one network a line"):
        ListedNetworks(World(), file)
