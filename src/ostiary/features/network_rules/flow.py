"""Owns the question what the rules say of an address, as an operator asks it; and their words."""

from dataclasses import dataclass
from typing import Final

from ostiary.core.networks.networks import ADMINISTRATORS, EVERYBODY, Verdict
from ostiary.core.networks.rules import Allowed, Denied, Why, read_address
from ostiary.core.wiring import Core
from ostiary.kernel.errors import Misuse

_GROUPS: Final = {EVERYBODY: "everybody", ADMINISTRATORS: "administrators"}
_WORDS: Final = {
    Why.NO_ADDRESS: "there is no address",
    Why.NOT_LISTED: "something else is allowed, and this is not",
    Why.COUNTRY_UNKNOWN: "something else is allowed, and nobody knows in which country this is",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What the rules say of an address.

    Attributes:
        address: As clients of it are known.
        country: "" when nobody knows.
        verdicts: Of each group that is concerned; the first denial counts.
    """

    address: str
    country: str
    verdicts: tuple[Verdict, ...]

    @property
    def is_allowed(self) -> bool:
        """Whether nobody denies it."""
        return all(isinstance(verdict.said, Allowed) for verdict in self.verdicts)


async def check(core: Core, ip: str, role: str = "") -> Checked:
    """What the rules say of an address, for everybody or for holders of a role.

    Raises:
        Misuse: it is no address, or there is no such role.
    """
    address = read_address(ip)
    if address is None:
        raise Misuse(f"{ip!r} is no address; write one such as 203.0.113.7 or 2001:db8::7")
    book = await core.authority.book.now(core.database)
    if role and role not in book.roles:
        raise Misuse(f"there is no role {role!r}; `ostiary roles list` names those that there are")
    verdicts = core.networks.verdicts_of(str(address), (role,) if role else (), book)
    place = core.places.of(str(address))
    return Checked(str(address), place.country if place else "", tuple(verdicts))


def in_words(verdict: Verdict) -> str:
    """A line for people."""
    group = _GROUPS.get(verdict.group) or f"the role {verdict.group.partition(':')[2]}"
    match verdict.said:
        case Allowed(""):
            return f"{group}: allowed, no rule is against it"
        case Allowed(rule):
            return f"{group}: allowed by {rule}"
        case Denied(Why.DENIED, rule):
            return f"{group}: denied by {rule}"
        case Denied(why):
            return f"{group}: denied, {_WORDS[why]}"
