"""Owns what e-mail addresses plug into the engine."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from ostiary.core.accounts.emails import emails
from ostiary.core.change import Subscriber, on
from ostiary.core.mail.template import ORIGIN_EXAMPLE, MailTemplate
from ostiary.core.outbox.worker import Chore
from ostiary.core.signin.disowned import DISOWNED
from ostiary.core.wiring import Parts
from ostiary.features.emails import alarm, flow, store
from ostiary.features.emails.api import router
from ostiary.features.emails.pages import PAGES, SECTION
from ostiary.features.emails.settings import EmailSettings
from ostiary.http.access import SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes
from ostiary.kernel.world import World
from ostiary.storage.database import Database

_BATCH: Final = 500
_ADDRESS: Final = {"email": "mira@example.org", **ORIGIN_EXAMPLE}


def _chores(parts: Parts) -> Sequence[Chore]:
    async def sweep(database: Database, world: World) -> int:
        async with database.transaction() as tx:
            return await flow.sweep(tx, world.micros(), _BATCH)

    return (Chore("expired e-mail wishes", timedelta(minutes=10), sweep),)


def _subscribers(parts: Parts) -> Sequence[Subscriber]:
    return (on(DISOWNED, alarm.drop_added),)


RIB = Rib(
    name="emails",
    settings=(EmailSettings,),
    events=(*flow.EVENTS, *emails.EVENTS),
    mails=(
        MailTemplate(
            flow.CONFIRM_MAIL,
            __package__,
            "The link and the code that prove another address of an account.",
            {
                "link": "https://auth.example.com/account/emails/confirm?token=EXAMPLE",
                "code": "123456",
                "link_lifetime": timedelta(hours=24),
                "code_lifetime": timedelta(minutes=10),
                **ORIGIN_EXAMPLE,
            },
        ),
        MailTemplate(
            flow.TAKEN_MAIL, __package__, "To the owner of an address that somebody else wants to add.", {}
        ),
        MailTemplate(emails.ADDED.name, __package__, "To every address before it: one was added.", _ADDRESS),
        MailTemplate(
            emails.REMOVED.name, __package__, "To every address, this one too: one was removed.", _ADDRESS
        ),
        MailTemplate(
            emails.PRIMARY_CHANGED.name,
            __package__,
            "To every address: another one is the primary one.",
            _ADDRESS,
        ),
    ),
    chores=_chores,
    subscribers=_subscribers,
    json_routes=(JsonRoutes(router, SESSION),),
    hot_routes=PAGES,
    account_sections=(SECTION,),
    kept=(store.KEPT,),
)
