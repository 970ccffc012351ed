"""Owns the mails that tell an account's owner about an event, for every event type with the trait `tell_owner`."""

from collections.abc import Awaitable, Callable
from typing import Final

from ostiary.core.accounts.store import Recipient
from ostiary.core.change import Change, Subscriber
from ostiary.core.mail.post import Post
from ostiary.core.mail.template import ORIGIN_EXAMPLE
from ostiary.kernel.errors import Misuse
from ostiary.kernel.events import Event, EventType
from ostiary.storage.database import Reads

RecipientsOf = Callable[[Reads, str], Awaitable[list[Recipient]]]
"""The verified addresses of an account, the primary one first; runs the same statements for an unknown account."""

_NOBODY: Final = Recipient("nobody@localhost", "")


class Notices:
    """Tells owners.

    Args:
        post: Sends.
        recipients_of: Finds out where to, and in which language.
        device_of: Says in words of its own ("Firefox on Windows") what a user agent is, or "". It must never hand
            on what the header says: whoever attacks an account chooses that text, and we would mail it to the owner.
    """

    def __init__(self, post: Post, recipients_of: RecipientsOf, device_of: Callable[[str], str]) -> None:
        self._post = post
        self._recipients_of = recipients_of
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
        """One lookup, and at least one row whether or not there is anybody to tell (L16)."""
        recipients = await self._recipients_of(change, event.account_id or "")
        told = {
            **event.data,
            "at": change.now,
            "ip": change.origin.ip,
            "device": self._device_of(change.origin.user_agent),
        }
        context = {name: told.get(name, "") for name in self._post.example_of(event.type.name) or ()}
        listed = recipients if event.type.at_every_address else recipients[:1]
        for to in listed or [_NOBODY]:
            await self._post.send(
                change, event.type.name, to.address, context, live=bool(recipients), language=to.locale
            )
