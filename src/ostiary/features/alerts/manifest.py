"""Owns what alerts plug into the engine."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from ostiary.core.change import Subscriber, on
from ostiary.core.mail.template import ORIGIN_EXAMPLE, MailTemplate
from ostiary.core.signin.door import SIGNED_IN
from ostiary.core.wiring import Parts
from ostiary.features.alerts import flow
from ostiary.features.alerts.api import router
from ostiary.features.alerts.pages import PAGES
from ostiary.features.alerts.settings import AlertSettings
from ostiary.http.access import PUBLIC
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes


def _subscribers(parts: Parts) -> Sequence[Subscriber]:
    return (on(SIGNED_IN, partial(flow.notice, parts)),)


RIB = Rib(
    name="alerts",
    settings=(AlertSettings,),
    events=flow.EVENTS,
    mails=(
        MailTemplate(
            flow.MAIL,
            __package__,
            "To every address: somebody signed in from a device that the account does not know.",
            {
                "link": "https://auth.example.com/not-me?token=EXAMPLE",
                "link_lifetime": timedelta(days=7),
                **ORIGIN_EXAMPLE,
            },
        ),
    ),
    subscribers=_subscribers,
    json_routes=(JsonRoutes(router, PUBLIC),),
    hot_routes=PAGES,
)
