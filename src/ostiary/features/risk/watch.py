"""Owns the watch that risk keeps at the door: it reads earlier visits, asks every signal, and names the measure."""

from datetime import timedelta
from typing import Final

from ostiary.core.change import Change
from ostiary.core.device import Device, read_device
from ostiary.core.places.places import Places
from ostiary.core.signin.disowned import DISOWNED
from ostiary.core.signin.watch import Caution, Measure, Seen, Signal
from ostiary.core.wiring import Parts
from ostiary.features.risk import signals, store
from ostiary.features.risk.networks import ListedNetworks
from ostiary.features.risk.settings import RiskSettings
from ostiary.features.risk.signals import Visit
from ostiary.features.risk.store import Begun
from ostiary.kernel.events import Event
from ostiary.kernel.world import World, from_micros
from ostiary.storage.database import Reads

# Of live sessions, and of those that ended last.
_MOST: Final = 20
# Whoever has just signed up knows where they are.
_NEW_ACCOUNT: Final = timedelta(days=1)


class RiskWatch:
    """Looks at every sign-in whose proofs are right.

    Args:
        world: The clock.
        places: Where addresses are.
        settings: What is done about which signal, and the list of networks.
    """

    def __init__(self, world: World, places: Places, settings: RiskSettings) -> None:
        self._world = world
        self._places = places
        self._settings = settings
        self._listed = ListedNetworks(world, settings.risk_networks_file)

    async def refresh(self) -> None:
        """Look now and then whether the operator has replaced the list of networks."""
        await self._listed.refresh()

    async def look(self, reads: Reads, seen: Seen) -> Caution:
        """What is unusual, and the strictest measure that is due for any of it."""
        settings, ip = self._settings, seen.origin.ip
        found = [
            *await self._compared(reads, seen),
            signals.many_failures(seen.failures, settings.risk_failures),
            signals.listed_network(ip, is_listed=ip in self._listed),
            signals.breached_password(is_breached=any(proof.is_breached for proof in seen.proofs)),
        ]
        unusual = tuple(signal for signal in found if signal is not None)
        measures = (settings.measure(signal.name) for signal in unusual)
        return Caution(unusual, max(measures, default=Measure.ALLOW))

    async def _compared(self, reads: Reads, seen: Seen) -> list[Signal | None]:
        """What only shows beside earlier visits; nothing is read when nothing can show."""
        if seen.is_known_browser and not self._places.is_on:
            return []
        now = self._visit(self._world.micros(), seen.origin.ip, read_device(seen.origin.user_agent))
        before = await self._before(reads, seen.account.id)
        if not before and now.at < seen.account.created_at + _NEW_ACCOUNT:
            return []
        found = [signals.new_country(now, before), signals.impossible_travel(now, before)]
        if not seen.is_known_browser:
            found = [signals.new_device(now, before), *found, signals.unusual_hour(now, before)]
        return found

    async def _before(self, reads: Reads, account_id: str) -> list[Visit]:
        """Earlier visits, none twice: a session that was renewed has a copy with the same beginning.

        What was there before an owner's "this was not me" says nothing of who is at home.
        """
        rows: list[Begun] = await reads.all(store.BEGUN, of_account=account_id, most=_MOST)
        visits = {
            (one.created_at, one.ip): self._visit(one.created_at, one.ip, Device(one.device, one.browser))
            for one in rows
            if one.ended_why != DISOWNED.name
        }
        return list(visits.values())

    def _visit(self, at: int, ip: str, device: Device) -> Visit:
        # Who comes out of such a network is somewhere else.
        place = None if ip in self._listed else self._places.of(ip)
        return Visit(from_micros(at), ip, device, place)


async def forget(change: Change, event: Event) -> None:
    """Reaction to `sign_in_disowned`, in the same transaction: no place of before is known any more."""
    await change.run(store.DISOWN, of_account=event.account_id or "", now=change.micros, why=event.type.name)


def watch(parts: Parts) -> RiskWatch:
    """The watch of an engine."""
    return RiskWatch(parts.world, parts.places, parts.settings.of(RiskSettings))
