"""Owns what the plumbing knows of the engine behind it: base URL, settings, cookies."""

from dataclasses import dataclass, field
from typing import Self

from ostiary.core.wiring import Core
from ostiary.http.cookies import Cookies
from ostiary.http.settings import HttpSettings, ParsedBase, parse_base_url
from ostiary.http.shell import Shell


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
        token_origins: Those of them whose scripts may hold tokens.
        shell: What pages know of their surroundings.
    """

    core: Core
    settings: HttpSettings
    base: ParsedBase
    cookies: Cookies
    origins: frozenset[bytes]
    front_ends: frozenset[bytes]
    token_origins: frozenset[bytes]
    shell: Shell = field(default_factory=Shell)

    @classmethod
    def of(cls, core: Core, shell: Shell) -> Self:
        """The edge of a core whose base URL was checked at start."""
        settings = core.settings.of(HttpSettings)
        base = parse_base_url(settings.base_url)
        front_ends = frozenset(origin.encode() for origin in settings.front_end_origins)
        token_origins = frozenset(origin.encode() for origin in settings.token_origins)
        own = {base.origin.encode()}
        if not base.is_https:
            # Plain http is loopback while developing: localhost and 127.0.0.1 mean the same server.
            port = base.origin.rpartition(":")[2]
            own |= {f"http://{name}:{port}".encode() for name in ("localhost", "127.0.0.1") if port.isdigit()}
        return cls(
            core,
            settings,
            base,
            Cookies(base, with_tokens=settings.token_cookies),
            front_ends | own,
            front_ends,
            token_origins,
            shell,
        )
