"""Moments, durations and devices are put into words that a person of that language would use."""

from datetime import UTC, datetime, timedelta

import pytest

from ostiary.core.device import browser_and_device, describe_device
from ostiary.core.mail.language import best_match
from ostiary.core.mail.words import ENGLISH

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:131.0) Gecko/20100101 Firefox/131.0"


def test_a_moment_is_said_in_utc() -> None:
    """Stored microseconds, JSON's datetimes and datetimes of any zone read the same."""
    said = {
        ENGLISH.moment(given) for given in (0, "1970-01-01T01:00:00+01:00", datetime(1970, 1, 1, tzinfo=UTC))
    }
    assert said == {"1 January 1970, 00:00 UTC"}


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(minutes=10), "10 minutes"), (600, "10 minutes"), (600.0, "10 minutes"), (60, "1 minute"),
        (1, "1 minute"), (0, "1 minute"), (61, "2 minutes"), (3600, "1 hour"), (5400, "90 minutes"),
        (86400, "24 hours"), (timedelta(hours=36), "36 hours"), (timedelta(days=2), "2 days"),
        (timedelta(days=30), "30 days"),
    ],
)  # fmt: skip
def test_a_duration_is_said_without_loss(length: float | timedelta, said: str) -> None:
    """In the largest unit that it is whole in, and never shorter than it is."""
    assert ENGLISH.duration(length) == said


def test_a_device_can_be_taken_apart() -> None:
    """What `describe_device` joins, the mails can say in another order."""
    phrase = describe_device(FIREFOX)
    assert browser_and_device(phrase) == ("Firefox 131", "Windows")
    assert ENGLISH.device(phrase) == phrase == "Firefox 131 on Windows"
    assert [ENGLISH.device(words) for words in ("Firefox", "")] == ["Firefox", ""]


@pytest.mark.parametrize(
    ("wishes", "found"),
    [
        ("de", "de"), ("de-AT", "de"), ("DE-de-1996", "de"), ("en-GB,de;q=0.9", "en"), ("fr,de;q=0.5,en;q=0.4", "de"),
        ("en;q=0.4, de;q=0.5", "de"), ("de;q=0,en", "en"), ("de;q=0", None), ("", None), ("*", None), ("fr", None),
        ("pt-br", "pt-BR"), ("pt", None), ("de;q=2", None), ("de;q=x,en;q=0.1", "en"), (";;,,;q=1,-,de", "de"),
        ("de-" * 5000, "de"), (",".join(["fr"] * 20 + ["de"]), None), ("d\x00e", None),
    ],
)  # fmt: skip
def test_a_language_is_looked_up(wishes: str, found: str | None) -> None:
    """By quality, then by order, each range shortened until it fits; nonsense asks for nothing."""
    assert best_match(wishes, ("en", "de", "pt-BR")) == found
