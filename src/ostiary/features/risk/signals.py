"""Owns the signals: what is unusual about a sign-in, each a plain function of this visit and those before.

A visit whose place nobody knows says nothing about countries and journeys, and accuses nobody.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ostiary.core.device import Device
from ostiary.core.places.atlas import Place
from ostiary.core.signin.watch import Signal
from ostiary.kernel.origin import network_of

_EARTH_KM: Final = 6371.0
_FASTEST_KMH: Final = 900.0
# Mobile networks let their customers out far from where they are, and so do offices with one way out.
_NEAREST_KM: Final = 500.0
# Where the file says nothing of how exact it is.
_INEXACT_KM: Final = 100
_HABIT: Final = 12
_HABIT_DAYS: Final = 5
_NEAR: Final = timedelta(hours=3)
_DAY: Final = timedelta(days=1)
_DEGREES_A_DAY: Final = 360.0


@dataclass(frozen=True, slots=True)
class Visit:
    """A sign-in.

    Attributes:
        at: When.
        ip: From where.
        device: With what.
        place: Where that is; None where nobody knows, or where it says nothing, as behind a VPN.
    """

    at: datetime
    ip: str
    device: Device
    place: Place | None = None


def new_device(now: Visit, before: Sequence[Visit]) -> Signal | None:
    """Nobody came with the same kind of browser from the same network.

    Asked only of browsers that do not carry our note about this account, such as private windows and programs.
    """
    here = (_family(now.device), network_of(now.ip))
    is_known = any((_family(one.device), network_of(one.ip)) == here for one in before)
    return None if is_known else Signal("new_device")


def _family(device: Device) -> tuple[str, str]:
    # "Firefox 131" becomes "Firefox 132" by itself.
    return device.device, device.browser.rstrip("0123456789. ")


def new_country(now: Visit, before: Sequence[Visit]) -> Signal | None:
    """Nobody came from this country, and of some it is known from where they came."""
    countries = {one.place.country for one in before if one.place is not None} - {""}
    if now.place is None or not now.place.country or not countries or now.place.country in countries:
        return None
    return Signal("new_country", {"place": _named(now.place)})


def impossible_travel(now: Visit, before: Sequence[Visit]) -> Signal | None:
    """Since the last visit whose place is known nobody can have come here: that takes more than 900 km/h.

    The distance is the least that both radii of accuracy leave. Clocks of two servers differ, so either visit may seem
    to be the earlier one.
    """
    located = [one for one in before if one.place is not None and one.place.latitude is not None]
    last = max(located, key=lambda one: one.at, default=None)
    if last is None or last.place is None or now.place is None:
        return None
    apart = _apart_km(last.place, now.place)
    if apart is None or apart < _NEAREST_KM:
        return None
    took = abs(now.at - last.at)
    if apart <= _FASTEST_KMH * (took / timedelta(hours=1)):
        return None
    values = {
        "before": _named(last.place),
        "at": last.at.isoformat(),
        "place": _named(now.place),
        "km": int(apart),
        "within": took.total_seconds(),
    }
    return Signal("impossible_travel", values)


def _apart_km(one: Place, other: Place) -> float | None:
    """How far two places are apart at least, along a great circle (haversine)."""
    if one.latitude is None or one.longitude is None or other.latitude is None or other.longitude is None:
        return None
    north, south = math.radians(one.latitude), math.radians(other.latitude)
    turn = math.radians(other.longitude - one.longitude)
    half = math.sin((south - north) / 2) ** 2 + math.cos(north) * math.cos(south) * math.sin(turn / 2) ** 2
    distance = 2 * _EARTH_KM * math.asin(math.sqrt(min(1.0, half)))
    return distance - _radius(one) - _radius(other)


def _radius(place: Place) -> int:
    return _INEXACT_KM if place.accuracy_km is None else place.accuracy_km


def _named(place: Place) -> str:
    return ", ".join(filter(None, (place.city, place.country)))


def unusual_hour(now: Visit, before: Sequence[Visit]) -> Signal | None:
    """None of many visits, on several days, was within three hours of this hour of the day.

    By the sun at each place where all places are known, so that whoever travels keeps the habits; by UTC otherwise.
    """
    if len(before) < _HABIT or len({one.at.date() for one in before}) < _HABIT_DAYS:
        return None
    is_local = all(one.place is not None and one.place.longitude is not None for one in (now, *before))
    hour = _hour(now, is_local=is_local)
    for one in before:
        off = abs(_hour(one, is_local=is_local) - hour)
        if min(off, _DAY - off) <= _NEAR:
            return None
    said = f"{int(hour / timedelta(hours=1)):02d}:00{'' if is_local else ' UTC'}"
    return Signal("unusual_hour", {"hour": said, "count": len(before)})


def _hour(visit: Visit, *, is_local: bool) -> timedelta:
    """How much of the day had passed."""
    at = visit.at
    passed = timedelta(hours=at.hour, minutes=at.minute)
    if is_local and visit.place is not None and visit.place.longitude is not None:
        passed += _DAY * (visit.place.longitude / _DEGREES_A_DAY)
    return passed % _DAY


def many_failures(failures: int, limit: int) -> Signal | None:
    """So many tries failed in a row before this one."""
    return Signal("many_failures", {"num": failures}) if failures >= limit else None


def listed_network(ip: str, *, is_listed: bool) -> Signal | None:
    """The operator is wary of the network."""
    return Signal("listed_network", {"ip": ip}) if is_listed else None


def breached_password(*, is_breached: bool) -> Signal | None:
    """The password was shown, and is known from a breach."""
    return Signal("breached_password") if is_breached else None
