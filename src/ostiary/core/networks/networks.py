"""Owns `Networks`: which network rules concern whom, and turning away whom they refuse."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ostiary.core.access.authority import Authority, Standing
from ostiary.core.access.permission import EVERYTHING
from ostiary.core.access.roles import RoleBook
from ostiary.core.networks.rules import Address, Allowed, Denied, Rules, judge, read_address
from ostiary.core.networks.settings import NetworkSettings
from ostiary.core.networks.told import Told
from ostiary.core.places.places import Places
from ostiary.kernel.errors import Misuse, Refused, code
from ostiary.kernel.events import Event, EventType, Severity
from ostiary.kernel.origin import Origin
from ostiary.kernel.world import World
from ostiary.storage.database import Reads

NETWORK_REFUSED: Final = code(
    "network_refused",
    403,
    "Not allowed from this network.",
    "A rule of the operator refuses the network or country of the request, to everybody or to this account.",
)
TURNED_AWAY: Final = EventType(
    "network_refused",
    "A network rule turned somebody away; told once an hour for each account and network, with how many went untold.",
    Severity.NOTICE,
    ("group", "why", "rule", "country", "untold"),
    words="Access was refused to a network that is not allowed.",
)
EVENTS: Final = (TURNED_AWAY,)

EVERYBODY: Final = "everybody"
ADMINISTRATORS: Final = "administrators"
_ADMIN: Final = "admin"
# Whoever may do something to these governs other people's accounts.
_GOVERNED: Final = frozenset({"users", "roles"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules of one group say.

    Attributes:
        group: `everybody`, `administrators`, or ``role:NAME``.
        country: Where the address is, as far as anybody knows.
    """

    group: str
    country: str
    said: Allowed | Denied


class Networks:
    """Says from where ostiary may be used.

    Args:
        world: The clock.
        settings: The rules.
        places: Where addresses are.
        authority: Says who holds which role.

    Raises:
        Misuse: a rule names a country, and nobody knows where addresses are.
    """

    def __init__(self, world: World, settings: NetworkSettings, places: Places, authority: Authority) -> None:
        self._places = places
        self._authority = authority
        self._everybody: Final = settings.of_everybody
        self._administrators: Final = settings.of_administrators
        self._roles: Final = settings.of_roles
        self._told = Told(world)
        of_accounts = (self._administrators, *self._roles.values())
        self._minds_accounts = not all(rules.is_empty for rules in of_accounts)
        self._minds_countries = any(rules.minds_countries for rules in (self._everybody, *of_accounts))
        if self._minds_countries and not places.is_on:
            raise Misuse(
                "network rules name countries, and nobody knows where addresses are: give geoip_file, a City or "
                "Country database in MaxMind's format, or name networks alone"
            )

    @property
    def minds_everybody(self) -> bool:
        """Whether there are rules for every request."""
        return not self._everybody.is_empty

    @property
    def is_on(self) -> bool:
        """Whether there are any rules."""
        return self.minds_everybody or self._minds_accounts

    def unknown_roles(self, book: RoleBook) -> list[str]:
        """Roles that have rules, and that nobody can hold as things are."""
        return sorted(self._roles.keys() - book.roles.keys())

    def admit_stranger(self, origin: Origin) -> None:
        """Turn a request away, whoever makes it.

        Raises:
            Refused: `network_refused`.
        """
        if self.minds_everybody:
            self._turn_away(origin, None, self.verdicts(origin.ip))

    async def admit(self, reads: Reads, origin: Origin, account_id: str) -> None:
        """Turn an account away that may not be used from where the request came. One query, if there are such rules.

        Raises:
            Refused: `network_refused`.
        """
        standing = None
        if self._minds_accounts:
            standing = await self._authority.standing_of(reads, account_id)
        if self.is_on:
            self._turn_away(origin, account_id, self.verdicts(origin.ip, standing))

    def admit_role(self, origin: Origin, account_id: str, role: str, book: RoleBook) -> None:
        """Turn an account away that is about to get a role which may not be used from where the request came.

        Raises:
            Refused: `network_refused`.
        """
        if self.is_on:
            self._turn_away(origin, account_id, self.verdicts_of(origin.ip, (role,), book))

    def verdicts(self, ip: str, standing: Standing | None = None) -> list[Verdict]:
        """What each group's rules say of an address, in the order in which they are asked; the first denial counts.

        Args:
            ip: As in `Origin.ip`.
            standing: What somebody holds; None for nobody, whom only the rules for everybody concern.
        """
        if standing is None:
            return self.verdicts_of(ip, (), None)
        return self.verdicts_of(ip, [grant.role for grant in standing.grants], standing.rules.roles)

    def verdicts_of(self, ip: str, held: Iterable[str], book: RoleBook | None) -> list[Verdict]:
        """The same for holders of some roles."""
        address, country = _read(ip), ""
        if self._minds_countries and (place := self._places.of(ip)) is not None:
            country = place.country
        return [
            Verdict(group, country, judge(rules, address, country))
            for group, rules in self._concerning(tuple(held), book)
        ]

    def _concerning(self, held: tuple[str, ...], book: RoleBook | None) -> Iterator[tuple[str, Rules]]:
        yield EVERYBODY, self._everybody
        if book is None:
            return
        if any(administers(book, role) for role in held):
            yield ADMINISTRATORS, self._administrators
        for name, rules in self._roles.items():
            if any(book.includes(role, name) for role in held):
                yield f"role:{name}", rules

    def _turn_away(self, origin: Origin, account_id: str | None, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            said = verdict.said
            if not isinstance(said, Denied):
                continue
            untold = self._told.tell(account_id, origin.network)
            events: tuple[Event, ...] = ()
            if untold is not None:
                group, why, rule = verdict.group, said.why.value, said.rule
                event = TURNED_AWAY(
                    account_id, group=group, why=why, rule=rule, country=verdict.country, untold=untold
                )
                events = (event,)
            reason = f"{verdict.group}: {said.why.value} {said.rule}".rstrip()
            raise Refused(NETWORK_REFUSED, reason, counted=False, events=events)


def administers(book: RoleBook, role: str) -> bool:
    """Whether holders of a role administer others: it is or inherits `admin`, or what it grants governs accounts."""
    if book.includes(role, _ADMIN):
        return True
    return any(
        granted == EVERYTHING or granted.partition(":")[0] in _GOVERNED for granted in book.patterns(role)
    )


@lru_cache(maxsize=4096)
def _read(ip: str) -> Address | None:
    return read_address(ip)
