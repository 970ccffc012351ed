"""Owns what changing and recovering passwords plugs into the engine."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from ostiary.core.accounts.accounts import CREDENTIALS_VOIDED
from ostiary.core.change import Change, Subscriber, on
from ostiary.core.mail.template import ORIGIN_EXAMPLE, MailTemplate
from ostiary.core.signin.disowned import DISOWNED
from ostiary.core.wiring import Parts
from ostiary.features.password import events, history, recovery, store
from ostiary.features.password.account_pages import PAGES as ACCOUNT_PAGES
from ostiary.features.password.api import own, public
from ostiary.features.password.cli import commands
from ostiary.features.password.pages import PAGES
from ostiary.features.password.settings import RecoverySettings
from ostiary.http.access import PUBLIC, SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes
from ostiary.kernel.events import Event


async def _forget(change: Change, event: Event) -> None:
    await history.forget(change, event.account_id or "")


def _subscribers(parts: Parts) -> Sequence[Subscriber]:
    return (
        on(CREDENTIALS_VOIDED, _forget),
        on(DISOWNED, partial(recovery.send_after_alarm, parts)),
    )


RIB = Rib(
    name="password",
    settings=(RecoverySettings,),
    events=events.EVENTS,
    mails=(
        MailTemplate(
            recovery.MAIL,
            __package__,
            "The link with which somebody chooses a new password.",
            {
                "link": "https://auth.example.com/recover/reset?token=EXAMPLE",
                "link_lifetime": timedelta(hours=1),
                "by": "owner",
                **ORIGIN_EXAMPLE,
            },
        ),
        MailTemplate(
            events.RESET.name,
            __package__,
            "To every address: the password was reset by a link.",
            ORIGIN_EXAMPLE,
        ),
        MailTemplate(
            events.CHANGED.name,
            __package__,
            "To every address: the password was changed in the account.",
            ORIGIN_EXAMPLE,
        ),
    ),
    subscribers=_subscribers,
    json_routes=(JsonRoutes(public, PUBLIC), JsonRoutes(own, SESSION)),
    hot_routes=(*PAGES, *ACCOUNT_PAGES),
    commands=commands,
    kept=(store.KEPT,),
)
