"""Owns asking a range service, and remembering its answers for a few minutes."""

from collections import OrderedDict
from datetime import timedelta
from typing import Final

from ostiary.core.outgoing.client import Limits, Outgoing
from ostiary.core.outgoing.failure import OutgoingFailed, OutOfReach
from ostiary.core.passwords.breaches.source import SourceFailed
from ostiary.kernel.errors import Misuse
from ostiary.kernel.world import World, span_micros
from ostiary.protocols.breach_range import PREFIX, is_listed, read_range

# An answer has some two thousand lines of 40 bytes, padding included.
_LARGEST: Final = 524_288
_AT_ONCE: Final = 16
# Who corrects another field sends the same password again; an attacker who sends many does not fill the memory.
_REMEMBERED: Final = timedelta(minutes=5)
_MOST_REMEMBERED: Final = 32


class RangeService:
    """Asks by k-anonymity: five digits of forty go out.

    Args:
        world: The clock.
        outgoing: The way out.
        url: What the digits are put at the end of.
        patience: The longest wait.
    """

    name: Final = "range"

    def __init__(self, world: World, outgoing: Outgoing, url: str, patience: timedelta) -> None:
        self._world = world
        self._outgoing = outgoing
        self._client = outgoing.client(Limits(time=patience, size=_LARGEST, at_once=_AT_ONCE))
        self._url = url
        self._known: OrderedDict[str, tuple[int, str]] = OrderedDict()

    def check(self) -> None:
        """Refuse a URL that could never be called; the service itself may be down at start.

        Raises:
            Misuse: it could not.
        """
        try:
            self._outgoing.check(self._url)
        except OutOfReach as error:
            raise Misuse(
                f"breach_range_url: {error}; give an https address, and name a server of your own network in "
                "outgoing_allow and its port in outgoing_ports"
            ) from None

    async def knows(self, digits: str) -> bool:
        """Whether the service lists a fingerprint.

        Raises:
            SourceFailed: it did not answer properly, or not in time.
        """
        return is_listed(digits, await self._range(digits[:PREFIX]))

    async def _range(self, prefix: str) -> str:
        now = self._world.micros()
        until, listed = self._known.get(prefix, (0, ""))
        if now < until:
            return listed
        listed = await self._ask(prefix)
        self._known[prefix] = now + span_micros(_REMEMBERED), listed
        self._known.move_to_end(prefix)
        while len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        return listed

    async def _ask(self, prefix: str) -> str:
        try:
            answer = await self._client.send("GET", self._url + prefix, headers={"Add-Padding": "true"})
        except OutgoingFailed as error:
            raise SourceFailed(error.failure.value) from None
        if answer.status != 200:
            raise SourceFailed(f"status_{answer.status}")
        try:
            return read_range(answer.body)
        except ValueError:
            raise SourceFailed("garbled") from None
