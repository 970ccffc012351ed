"""Owns what the plumbing knows of the engine behind it: base URL, settings, cookies."""

from dataclasses import dataclass
from typing import Self

from ostiary.core.wiring import Core
from ostiary.http.cookies import Cookies
from ostiary.http.settings import HttpSettings, ParsedBase, parse_base_url


@dataclass(frozen=True, slots=True)
class Edge:
    """One engine as seen from HTTP, made once.

    Attributes:
        core: The wired core.
        settings: Of the HTTP surface.
        base: The parsed base URL.
        cookies: Names and flags that follow from it.
        origins: The origins whose unsafe calls are accepted: the base URL's and the front ends'.
        front_ends: The front ends' alone.
    """

    core: Core
    settings: HttpSettings
    base: ParsedBase
    cookies: Cookies
    origins: frozenset[bytes]
    front_ends: frozenset[bytes]

    @classmethod
    def of(cls, core: Core) -> Self:
        """The edge of a core whose base URL was checked at start."""
        settings = core.settings.of(HttpSettings)
        base = parse_base_url(settings.base_url)
        front_ends = frozenset(origin.encode() for origin in settings.front_end_origins)
        return cls(core, settings, base, Cookies(base), front_ends | {base.origin.encode()}, front_ends)
