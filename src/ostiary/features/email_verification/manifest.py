"""Owns what e-mail verification plugs into the engine."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from ostiary.core.accounts.accounts import REGISTRATION
from ostiary.core.change import Subscriber, on
from ostiary.core.mail.template import ORIGIN_EXAMPLE, MailTemplate
from ostiary.core.wiring import Parts
from ostiary.features.email_verification import flow
from ostiary.features.email_verification.api import router
from ostiary.features.email_verification.pages import PAGES
from ostiary.features.email_verification.settings import VerificationSettings
from ostiary.http.access import PUBLIC
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes


def _subscribers(parts: Parts) -> Sequence[Subscriber]:
    return (on(REGISTRATION, partial(flow.on_registration, parts)),)


RIB = Rib(
    name="email_verification",
    settings=(VerificationSettings,),
    events=flow.EVENTS,
    mails=(
        MailTemplate(
            flow.MAIL,
            __package__,
            "The link and the code that prove an address.",
            {
                "link": "https://auth.example.com/verify?token=EXAMPLE",
                "code": "123456",
                "link_lifetime": timedelta(hours=24),
                "code_lifetime": timedelta(minutes=10),
                "has_key": True,
                **ORIGIN_EXAMPLE,
            },
        ),
    ),
    subscribers=_subscribers,
    json_routes=(JsonRoutes(router, PUBLIC),),
    hot_routes=PAGES,
    proves_mailboxes=True,
)
