"""Owns the mails that tell an account's owner about an event, for every event type with the trait `tell_owner`."""

from collections.abc import Awaitable, Callable
from typing import Final

from ostiary.core.change import Change, Subscriber
from ostiary.core.mail.post import Post
from ostiary.core.mail.template import ORIGIN_EXAMPLE
from ostiary.kernel.errors import Misuse
from ostiary.kernel.events import Event, EventType
from ostiary.storage.database import Reads

AddressesOf = Callable[[Reads, str], Awaitable[list[str]]]
"""The verified addresses of an account, the primary one first; runs the same statements for an unknown account."""

_NOBODY: Final = "nobody@localhost"


class Notices:
    """Tells owners.

    Args:
        post: Sends.
        addresses_of: Finds out where to.
        device_of: Says in words of its own ("Firefox on Windows") what a user agent is, or "". It must never hand
            on what the header says: whoever attacks an account chooses that text, and we would mail it to the owner.
    """

    def __init__(self, post: Post, addresses_of: AddressesOf, device_of: Callable[[str], str]) -> None:
        self._post = post
        self._addresses_of = addresses_of
        self._device_of = device_of

    def subscriber(self) -> Subscriber:
        """For the engine's list of reactions."""
        return Subscriber(self._wants, self._tell)

    def _wants(self, event_type: EventType) -> bool:
        if not event_type.tell_owner:
            return False
        example = self._post.example_of(event_type.name)
        if example is None:
            raise Misuse(
                f"event type {event_type.name!r} tells the owner but there is no mail template of that name"
            )
        if unknown := example.keys() - {*event_type.fields, *ORIGIN_EXAMPLE}:
            raise Misuse(
                f"mail template {event_type.name!r}: its example names {', '.join(sorted(unknown))}, which neither "
                "the event carries nor every notice holds"
            )
        return True

    async def _tell(self, change: Change, event: Event) -> None:
        """One lookup and one row, whether or not there is anybody to tell (L16)."""
        addresses = await self._addresses_of(change, event.account_id or "")
        told = {
            **event.data,
            "at": change.now,
            "ip": change.origin.ip,
            "device": self._device_of(change.origin.user_agent),
        }
        context = {name: told.get(name, "") for name in self._post.example_of(event.type.name) or ()}
        to = addresses[0] if addresses else _NOBODY
        await self._post.send(change, event.type.name, to, context, live=bool(addresses))
