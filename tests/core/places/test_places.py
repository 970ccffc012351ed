"""Places: what a file says, what it may look like, and how another one takes its place."""

import asyncio
import json
import logging
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ostiary.core.journal.store import journal
from ostiary.core.places.atlas import Place, read_place
from ostiary.core.places.places import FILE_REFUSED, Places
from ostiary.core.places.settings import PlaceSettings
from ostiary.kernel.errors import Misuse
from ostiary.storage.statement import Query
from ostiary.testing import Kit, running
from tests.support.places import BERLIN, OSLO, SYDNEY, atlas

NO = {"country": {"iso_code": "NO"}}
REFUSALS = Query(
    "test.geoip_refusals",
    sa.select(journal.c.data).where(journal.c.type == FILE_REFUSED.name).order_by(journal.c.id),
    str,
)


def places(path: Path) -> Places:
    """Opened."""
    made = Places(PlaceSettings(path))
    made.open()
    return made


def test_an_address_is_where_the_file_says(tmp_path: Path) -> None:
    """IPv4, IPv6, and IPv4 inside of IPv6 are found; an unknown address, and what is no address, is nowhere."""
    known = places(
        atlas(
            tmp_path / "city.mmdb",
            {
                "203.0.113.0/24": OSLO,
                "2001:db8:1::/48": SYDNEY,
                "198.51.100.0/24": {"country": {"iso_code": "DE"}},
            },
        )
    )
    oslo = Place("NO", 59.91, 10.75, 20, "Oslo")
    assert known.of("203.0.113.7") == known.of("::ffff:203.0.113.7") == known.of("::ffff:cb00:7107") == oslo
    assert known.of("2001:db8:1::5") == Place("AU", -33.87, 151.21, 20, "Sydney")
    assert known.of("198.51.100.1") == Place("DE")  # a file about countries alone
    for nowhere in (
        "10.0.0.1",
        "192.0.2.1",
        "2001:db8:2::5",
        "fe80::1%eth0",
        "",
        "testclient",
        "1.2.3",
        "::x",
    ):
        assert known.of(nowhere) is None, nowhere
    assert Places(PlaceSettings()).of("203.0.113.7") is None  # nobody knows without a file
    only_ipv4 = places(atlas(tmp_path / "v4.mmdb", {"203.0.113.0/24": OSLO}, ip_version=4))
    assert (only_ipv4.of("203.0.113.7"), only_ipv4.of("2001:db8:1::5")) == (oslo, None)


@pytest.mark.parametrize(
    ("record", "place"),
    [
        ({"registered_country": {"iso_code": "NO"}}, None),  # where the owner is, not where the network is
        ({"country": {"iso_code": "no"}}, None),
        ({"country": {"iso_code": 7}}, None),
        ({"country": "NO"}, None),
        ({}, None),
        ("NO", None),
        ({"location": {"latitude": 1, "longitude": 2}}, Place("", 1.0, 2.0)),
        ({**NO, "location": {"latitude": 91.0, "longitude": 2.0}}, Place("NO")),
        ({**NO, "location": {"latitude": 1.0}}, Place("NO")),
        ({**NO, "city": {"names": {"en": "A\nB\u202e" + "c" * 200}}}, Place("NO", city="AB" + "c" * 98)),
    ],
)  # fmt: skip
def test_a_record_is_read_with_care(record: Any, place: Place | None) -> None:
    """Only a country by its two letters counts, only a point on the globe, and only one line of a name."""
    assert read_place(record) == place


def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    """The message names the file, says what is wrong with it, and what to give instead."""
    whole = atlas(tmp_path / "city.mmdb", {"203.0.113.0/24": OSLO}).read_bytes()
    asn = atlas(
        tmp_path / "asn.mmdb", {"203.0.113.0/24": {"autonomous_system_number": 64496}}, kind="GeoLite2-ASN"
    )
    for name, content in (
        ("empty", b""),
        ("page", b"<html>" * 500),
        ("half", whole[: len(whole) // 2]),
        ("packed", b"\x1f\x8b" * 99),
    ):
        (tmp_path / name).write_bytes(content)
    for path, why in (
        (tmp_path / "missing", "No such file"),
        (tmp_path, "directory"),
        (tmp_path / "empty", "no file in MaxMind's format"),
        (tmp_path / "page", "no file in MaxMind's format"),
        (tmp_path / "half", "no file in MaxMind's format"),
        (tmp_path / "packed", "no file in MaxMind's format"),
        (asn, "says nothing about countries"),
    ):  # fmt: skip
        with pytest.raises(
            Misuse, match=f"^geoip_file: .*{re.escape(str(path))}.*{why}.*give a City or Country"
        ):
            places(path)


async def later(kit: Kit) -> None:
    """Let a minute pass."""
    kit.clock.turn(timedelta(minutes=1))
    await asyncio.sleep(0.02)


async def told(kit: Kit, count: int) -> list[dict[str, Any]]:
    """The events about files, once there are so many."""
    for _ in range(2000):
        if len(found := await kit.engine.core.database.all(REFUSALS)) >= count:
            return [json.loads(one) for one in found]
        await later(kit)
    raise AssertionError(f"{count} events did not come")


async def until(kit: Kit, ip: str, city: str) -> None:
    """Wait until an address is in a city."""
    for _ in range(2000):
        if (place := kit.engine.core.places.of(ip)) is not None and place.city == city:
            return
        await later(kit)
    raise AssertionError(f"{ip} never came to {city}")


async def test_another_file_is_taken_while_running(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file renamed over it counts within a minute; a broken or vanished one changes nothing but log and journal, each
    once; and a good one after it counts again."""
    path = atlas(tmp_path / "city.mmdb", {"203.0.113.0/24": OSLO})
    async with running(tmp_path, database=database_url, geoip_file=path) as kit:
        await until(kit, "203.0.113.7", "Oslo")
        atlas(path, {"203.0.113.0/24": BERLIN})
        await until(kit, "203.0.113.7", "Berlin")
        broken = tmp_path / "broken"
        broken.write_bytes(b"no places")
        with caplog.at_level(logging.ERROR, "ostiary.places"):
            broken.rename(path)
            assert "no file in MaxMind's format" in (await told(kit, 1))[0]["why"]
            await later(kit)  # it is looked at once
            await later(kit)
            path.unlink()
            assert "No such file" in (await told(kit, 2))[1]["why"]
        await until(kit, "203.0.113.7", "Berlin")
        assert len([one for one in caplog.records if one.name == "ostiary.places"]) == 2
        atlas(path, {"203.0.113.0/24": SYDNEY})
        await until(kit, "203.0.113.7", "Sydney")
        assert len(await told(kit, 2)) == 2
