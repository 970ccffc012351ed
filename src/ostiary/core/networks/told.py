"""Owns what the journal is told of refusals by the thousand: each kind once an hour, and how many there were since."""

from collections import OrderedDict
from datetime import timedelta
from typing import Final

from ostiary.kernel.world import World, span_micros

_HOUR: Final = span_micros(timedelta(hours=1))
_MEMORY: Final = 4096
_MOST_STRANGERS: Final = 100


class Told:
    """Remembers, in this process, what was told within the hour.

    Strangers may come from as many networks as they like, so of them it tells a hundred an hour at most. Whoever is
    refused by name has shown that he is it, and is always told.

    Args:
        world: The clock.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._until: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._untold = 0
        self._strangers = 0
        self._hour_ends = 0

    def tell(self, account_id: str | None, network: str) -> int | None:
        """Whether to tell that somebody was refused; it counts as told then.

        Args:
            account_id: Who has shown that he is it; None for a stranger.

        Returns:
            How many refusals went untold before this one; None when this one does, too.
        """
        now = self._world.micros()
        if now >= self._hour_ends:
            self._hour_ends, self._strangers = now + _HOUR, 0
        key = (account_id or "", network)
        if now < self._until.get(key, 0) or (account_id is None and self._strangers >= _MOST_STRANGERS):
            self._untold += 1
            return None
        self._strangers += account_id is None
        self._until[key] = now + _HOUR
        self._until.move_to_end(key)
        while len(self._until) > _MEMORY:
            self._until.popitem(last=False)
        count, self._untold = self._untold, 0
        return count
