"""Owns the reading of a user agent into words that a person recognises a device by."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ua_parser import parse

_ON: Final = " on "
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ()+-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Device:
    """What a person would call it: "iPhone", "Firefox 131"."""

    device: str
    browser: str


@lru_cache(maxsize=1024)
def read_device(user_agent: str) -> Device:
    """Name the device and the browser; both "Unknown" where the user agent says nothing."""
    if not user_agent:
        return Device("Unknown device", "Unknown browser")
    found = parse(user_agent)
    system = found.os.family if found.os else ""
    family = found.device.family if found.device else ""
    device = family if family and family not in ("Other", "Generic Smartphone", "Spider") else system
    if family == "Mac" and system:
        device = "Mac"
    browser = found.user_agent
    name = " ".join(filter(None, (browser.family, browser.major))) if browser else ""
    return Device(_plain(device) or "Unknown device", _plain(name) or "Unknown browser")


def describe_device(user_agent: str) -> str:
    """ "Firefox 131 on Mac"; "" where the user agent says nothing."""
    return in_a_phrase(read_device(user_agent))


def in_a_phrase(read: Device) -> str:
    """ "Firefox 131 on Mac"; without what is not known, so "" where nothing is."""
    known = [words for words in (read.browser, read.device) if not words.startswith("Unknown")]
    return _ON.join(known)


def browser_and_device(phrase: str) -> tuple[str, str]:
    """Take such a phrase apart, to say it in another language; the first is "" where only one of them was known."""
    browser, _, device = phrase.rpartition(_ON)
    return browser, device


def _plain(words: str) -> str:
    # Some families are text cut out of the header, and whoever attacks an account chooses that text.
    return words if _PLAIN.fullmatch(words) else ""
