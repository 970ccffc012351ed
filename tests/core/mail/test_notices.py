"""The owner is told, nobody else is, and having no owner costs the same."""

from dataclasses import dataclass, field, replace

import pytest

from ostiary.core.accounts.store import Recipient
from ostiary.core.change import Reactions
from ostiary.core.mail.compose import Composer
from ostiary.core.mail.mailbox import Mailbox
from ostiary.core.mail.notices import Notices
from ostiary.core.mail.post import Post, mail_deliverer
from ostiary.core.mail.settings import MailSettings
from ostiary.core.mail.template import MAILS
from ostiary.core.throttle.limits import LIMIT_REACHED, LOCKED, PASSWORD_DISABLED
from ostiary.kernel.errors import Misuse
from ostiary.kernel.events import EventType
from ostiary.storage.database import Reads
from tests.core.outbox.places import Place, running


@dataclass
class Accounts:
    """Knows one account with addresses and one without; counts how often it is asked."""

    locale: str = ""
    asked: list[str] = field(default_factory=list)

    async def recipients(self, reads: Reads, account_id: str) -> list[Recipient]:
        """Answer as the accounts module does."""
        self.asked.append(account_id)
        both = [Recipient("alice@example.org", self.locale), Recipient("second@example.org", self.locale)]
        return both if account_id == "a1" else []


def notices(place: Place, accounts: Accounts) -> tuple[Notices, Composer]:
    """Wire notices as the engine does."""
    composer = Composer(place.world, MailSettings(), {"core": MAILS})
    post = Post(place.outbox, composer)
    return Notices(post, accounts.recipients, lambda agent: "Firefox on Windows" if agent else ""), composer


@pytest.mark.parametrize("make", [LOCKED, PASSWORD_DISABLED])
async def test_owner_or_not_costs_the_same(place: Place, make: EventType) -> None:
    """A known account, one without an address and an unknown one: one lookup and one row of one size.  # L16"""
    accounts = Accounts()
    subject, composer = notices(place, accounts)
    data = {"failures": 5} | ({"until": place.world.micros()} if "until" in make.fields else {})
    for account_id in ("a1", "a2", None):
        async with place.change(subject.subscriber(), types=(make,)) as change:
            await change.emit(make(account_id, **data))
    rows = await place.rows()
    assert accounts.asked == ["a1", "a2", ""]
    assert len(rows) == 3
    assert len({len(row.sealed) for row in rows}) == 1

    mailbox = Mailbox()
    async with running(place.worker(mail_deliverer(composer, mailbox))):
        await place.empty()
    (mail,) = mailbox.messages()
    assert mail["to"] == "alice@example.org"
    assert "203.0.113.7" in mail["text"]
    assert "Firefox on Windows" in mail["text"]
    assert "Mozilla" not in mail["text"] + mail["html"]


@pytest.mark.parametrize(
    ("locale", "asks", "subject"),
    [
        ("de", "en", "Ihr Passwort bei ostiary wurde gesperrt"),
        ("de-AT", "", "Ihr Passwort bei ostiary wurde gesperrt"),
        ("", "de", "Your ostiary password was disabled"),
        ("fr", "de", "Your ostiary password was disabled"),
    ],
)
async def test_an_owner_is_told_in_his_language(place: Place, locale: str, asks: str, subject: str) -> None:
    """Never in that of whoever asks, who may be attacking the account; without one of his own in the site's."""
    there, composer = notices(place, Accounts(locale))
    place.origin = replace(place.origin, languages=asks)
    async with place.change(there.subscriber(), types=(PASSWORD_DISABLED,)) as change:
        await change.emit(PASSWORD_DISABLED("a1", failures=5))
    mailbox = Mailbox()
    async with running(place.worker(mail_deliverer(composer, mailbox))):
        await place.empty()
    assert [mail["subject"] for mail in mailbox.messages()] == [subject]


async def test_other_events_tell_nobody(place: Place) -> None:
    """Only the trait `tell_owner` sends mails."""
    subject, _ = notices(place, Accounts())
    async with place.change(subject.subscriber(), types=(LIMIT_REACHED,)) as change:
        await change.emit(LIMIT_REACHED("a1", limit="login"))
    assert await place.rows() == []


async def test_a_trait_without_a_template_is_told_at_start(place: Place) -> None:
    """An event that should tell the owner but has no words for it stops the start."""
    subject, _ = notices(place, Accounts())
    wordless = EventType("thing_happened", "For tests.", tell_owner=True)
    with pytest.raises(Misuse, match="thing_happened"):
        Reactions([wordless], [subject.subscriber()])
    poor = EventType("account_locked", "For tests: carries less than its mail tells.", tell_owner=True)
    with pytest.raises(Misuse, match="failures, until"):
        Reactions([poor], [subject.subscriber()])


@pytest.mark.parametrize(
    ("template", "context", "complaint"),
    [
        ("nothing", {}, "nothing"),
        ("password_disabled", {"failures": 3, "at": 1, "ip": ""}, "device"),
        ("password_disabled", {"failures": 3, "at": 1, "ip": "", "device": "", "token": "x"}, "token"),
    ],
)
async def test_what_was_not_declared_is_misuse(
    place: Place, template: str, context: dict[str, object], complaint: str
) -> None:
    """A rib that sends another mail or context than it declared hears of it at once, and nothing is written."""
    post = Post(place.outbox, Composer(place.world, MailSettings(), {"core": MAILS}))

    async def send() -> None:
        async with place.change() as change:
            await post.send(change, template, "alice@example.org", context)

    with pytest.raises(Misuse, match=complaint):
        await send()
    assert await place.rows() == []
