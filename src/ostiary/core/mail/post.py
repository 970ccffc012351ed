"""Owns the two ends of a mail's way through the outbox: the front that ribs send through, and the delivery."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from ostiary.core.change import Change
from ostiary.core.mail.compose import Composed, Composer
from ostiary.core.outbox.outbox import Deliver, Letter, Outbox
from ostiary.kernel.errors import Misuse
from ostiary.kernel.origin import Origin
from ostiary.kernel.world import to_micros

KIND: Final = "mail"
# Addresses are stored at one length: a decoy has none, and its row must not be smaller for it.
_ADDRESS_ROOM: Final = 320


class Transport(Protocol):
    """Takes a mail off our hands."""

    async def deliver(self, mail: Composed) -> str:
        """Hand it over.

        Returns:
            What the other side answered, for whoever asked by hand; it is neither stored nor logged.

        Raises:
            Temporary: not now.
            Permanent: never.
        """
        ...

    async def close(self) -> None:
        """Give back what is kept between mails, such as connections; a later `deliver` opens them again."""
        ...


class Post:
    """The front for ribs.

    Args:
        outbox: Where mails wait.
        composer: Knows which templates there are.
    """

    def __init__(self, outbox: Outbox, composer: Composer) -> None:
        self._outbox = outbox
        self._composer = composer
        self._examples = {mail.name: mail.example for mail in composer.mails.values()}

    async def send(
        self,
        change: Change,
        template: str,
        to: str,
        context: Mapping[str, Any],
        *,
        live: bool = True,
        language: str | None = None,
        expires_at: datetime | None = None,
    ) -> str:
        """Let a mail leave once the change is durable.

        Args:
            change: The open transaction.
            template: A declared template's name.
            to: The recipient's address.
            context: What the template's example names: text, numbers, datetimes, timedelta and `Secret`. Show a name
                that a user chose through the filter `person`.
            language: The reader's, a BCP 47 tag, or "" if he has an account that knows none; unless given what the
                browser that asks prefers. A mail to the owner of an account is never in the language of whoever asks.
            expires_at: When its link or code stops working, so that nobody sends it again without knowing.
            live: False sends nothing at the same cost; give the same context as for a real mail (L16).

        Returns:
            The outbox row's id, which is also the left half of the Message-ID.

        Raises:
            Misuse: there is no such template, the context is not what its example says, or it has a lifetime
                (`link_lifetime` and the like) without `expires_at`.
        """
        if template not in self._examples:
            raise Misuse(f"there is no mail template {template!r}: declare it in the manifest's mails")
        if wrong := context.keys() ^ self._examples[template].keys():
            raise Misuse(
                f"mail template {template!r}: context and example differ in {', '.join(sorted(wrong))}; an operator's "
                "template may use exactly what the example names"
            )
        if expires_at is None and any(name.endswith("_lifetime") for name in context):
            raise Misuse(
                f"mail template {template!r}: say with expires_at when what the mail brings stops working"
            )
        payload = {
            "template": template,
            "to": to.ljust(_ADDRESS_ROOM),
            "language": self.language_of(change.origin) if language is None else language,
            "expires_at": None if expires_at is None else to_micros(expires_at),
            "context": dict(context),
        }
        return await self._outbox.put(change, KIND, payload, live=live)

    def language_of(self, origin: Origin) -> str:
        """The language of ours that suits whoever asks, to be kept with his account."""
        return self._composer.language_for(origin.languages)

    def example_of(self, template: str) -> Mapping[str, Any] | None:
        """What a template's context looks like; None when no such template is declared."""
        return self._examples.get(template)


def mail_deliverer(composer: Composer, transport: Transport) -> Deliver:
    """What the worker does with letters of kind "mail"."""

    async def deliver(letter: Letter) -> None:
        payload = letter.payload
        mail = composer.compose(
            payload["template"],
            payload["to"].rstrip(),
            payload["context"],
            letter.id,
            payload.get("language", ""),  # not there in what was put in before mails had languages
        )
        await transport.deliver(mail)

    return deliver
