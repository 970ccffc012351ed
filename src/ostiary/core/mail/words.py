"""Owns how moments, durations, devices and names are put into words, in one language."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from gettext import NullTranslations
from typing import Any, Final

from ostiary.core.device import browser_and_device
from ostiary.kernel.world import from_micros

_PERSON_LIMIT: Final = 60
# What mail programs turn into something to click or to answer: a dot between letters, a slash, an at sign.
_CLICKABLE: Final = re.compile(r"[/@:\\]|\w\.\w")
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


class Words:
    """The words of one language.

    Args:
        catalog: Its messages; each is written here in English, as `make messages` finds them.
    """

    def __init__(self, catalog: NullTranslations) -> None:
        self._catalog = catalog

    def moment(self, value: int | str | datetime) -> str:
        """A moment, in UTC.

        Args:
            value: Stored microseconds, ISO 8601 (what JSON makes of a datetime), or a datetime.
        """
        if isinstance(value, int):
            value = from_micros(value)
        elif isinstance(value, str):
            value = datetime.fromisoformat(value)
        value = value.astimezone(UTC)
        return self._catalog.gettext("%(day)d %(month)s %(year)d, %(time)s UTC") % {
            "day": value.day,
            "month": self._month(value.month),
            "year": value.year,
            "time": f"{value:%H:%M}",
        }

    def _month(self, number: int) -> str:
        gettext = self._catalog.gettext
        return (
            gettext("January"), gettext("February"), gettext("March"), gettext("April"), gettext("May"),
            gettext("June"), gettext("July"), gettext("August"), gettext("September"), gettext("October"),
            gettext("November"), gettext("December"),
        )[number - 1]  # fmt: skip

    def duration(self, value: float | timedelta) -> str:
        """How long, in whole minutes, hours or days, never less than it is.

        Args:
            value: Seconds (what JSON makes of a timedelta), or a timedelta.
        """
        length = value if isinstance(value, timedelta) else timedelta(seconds=value)
        ngettext = self._catalog.ngettext
        if length >= 2 * _DAY and not length % _DAY:
            count = length // _DAY
            return ngettext("%(num)d day", "%(num)d days", count) % {"num": count}
        if length and not length % _HOUR:
            count = length // _HOUR
            return ngettext("%(num)d hour", "%(num)d hours", count) % {"num": count}
        count = max(1, math.ceil(length / _MINUTE))
        return ngettext("%(num)d minute", "%(num)d minutes", count) % {"num": count}

    def device(self, phrase: str) -> str:
        """What `describe_device` said, in this language."""
        browser, device = browser_and_device(phrase)
        if not (browser and device):
            return phrase
        return self._catalog.gettext("%(browser)s on %(device)s") % {"browser": browser, "device": device}

    def reason(self, name: str, values: Mapping[str, Any]) -> str:
        """Why a sign-in is unusual.

        Args:
            name: Of the signal, as in the event `suspicious_login`.
            values: What it found; moments and durations as the other methods take them.
        """
        said = {name: self._plain(name, value) for name, value in values.items()}
        return self._sentence(name, said.get("num", 0)) % said

    def _plain(self, name: str, value: Any) -> Any:
        match name:
            case "at":
                return self.moment(value)
            case "within":
                return self.duration(value)
            case _:
                return value

    def _sentence(self, name: str, num: int) -> str:
        gettext, ngettext = self._catalog.gettext, self._catalog.ngettext
        sentences = {
            "new_device": gettext("The account has not seen this device in this network before."),
            "new_country": gettext(
                "Nobody has signed in to the account from this country before: %(place)s."
            ),
            "impossible_travel": gettext(
                "The sign-in before was from %(before)s (%(at)s), this one is from %(place)s: nobody travels %(km)s km "
                "in %(within)s."
            ),
            "unusual_hour": gettext(
                "It was about %(hour)s, and none of the last %(count)s sign-ins was near that hour."
            ),
            "many_failures": ngettext(
                "%(num)d try before it failed.", "%(num)d tries in a row before it failed.", num
            ),
            "listed_network": gettext("The address %(ip)s is in a network that this site is wary of."),
            "breached_password": gettext(
                "The password is known to strangers: it was in a breach of some site. Choose another one."
            ),
        }
        return sentences[name]


ENGLISH: Final = Words(NullTranslations())


def one_line(words: str, limit: int) -> str:
    """The words in one line, fit for a header: every kind of line break and control character becomes a space.

    Words that look encoded (RFC 2047) are broken up: the standard library decodes them when it folds a header, and
    writes the line breaks that they contain.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return line.replace("=?", "= ?")[:limit].rstrip()


def person(name: object) -> str:
    """A name that a user chose, fit for a mail that we send; "" if a mail program could make a link of it.

    Whoever registers somebody else's address chooses the name, and would like our mail to carry his words.
    """
    words = one_line(str(name or ""), _PERSON_LIMIT + 1)
    return "" if len(words) > _PERSON_LIMIT or _CLICKABLE.search(words) else words
