"""Owns what an operator says about networks and countries."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeVar

from ostiary.core.networks.rules import Listing, Rules
from ostiary.kernel.settings import setting

T = TypeVar("T")

_OF_ROLE: Final = re.compile(r"([a-z][a-z0-9_.-]{0,63})\s*=\s*(!?)\s*(\S+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Network rules."""

    network_allow: tuple[str, ...] = setting(
        (),
        doc='From where ostiary may be used: networks and countries, such as "10.0.0.0/8", "NO"; then nowhere else.',
    )
    network_deny: tuple[str, ...] = setting(
        (), doc="From where it may not, whatever `network_allow` says: networks and countries."
    )
    admin_network_allow: tuple[str, ...] = setting(
        (), doc="The same as `network_allow` for accounts that administer others, beside it."
    )
    admin_network_deny: tuple[str, ...] = setting(
        (), doc="The same as `network_deny` for accounts that administer others, beside it."
    )
    role_networks: tuple[str, ...] = setting(
        (),
        doc='The same for who holds a role: "support=10.0.0.0/8" allows, "support=!RU" denies; as many as you like.',
    )

    def __post_init__(self) -> None:
        for name in ("network_allow", "network_deny", "admin_network_allow", "admin_network_deny"):
            _named(name, _listing, getattr(self, name))
        _named("role_networks", _of_roles, self.role_networks)

    @property
    def of_everybody(self) -> Rules:
        """The rules for every request."""
        return Rules(_listing(self.network_allow), _listing(self.network_deny))

    @property
    def of_administrators(self) -> Rules:
        """The rules for who administers others."""
        return Rules(_listing(self.admin_network_allow), _listing(self.admin_network_deny))

    @property
    def of_roles(self) -> Mapping[str, Rules]:
        """The rules for who holds a role, by its name."""
        return _of_roles(self.role_networks)


@lru_cache(maxsize=16)
def _listing(words: tuple[str, ...]) -> Listing:
    # Long lists are read once, not by the check and by whoever uses them.
    return Listing.of(words)


def _of_roles(lines: tuple[str, ...]) -> dict[str, Rules]:
    allow: dict[str, list[str]] = {}
    deny: dict[str, list[str]] = {}
    for line in lines:
        found = _OF_ROLE.fullmatch(line)
        if found is None:
            raise ValueError('each is a role and one rule, such as "support=10.0.0.0/8" or "support=!RU"')
        role, denies, rule = found.groups()
        (deny if denies else allow).setdefault(role, []).append(rule)
    return {
        role: Rules(Listing.of(allow.get(role, ())), Listing.of(deny.get(role, ())))
        for role in {**allow, **deny}
    }


def _named(name: str, read: Callable[[tuple[str, ...]], T], words: tuple[str, ...]) -> T:
    try:
        return read(words)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
