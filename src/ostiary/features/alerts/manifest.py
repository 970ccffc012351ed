"""Owns what alerts plug into the engine."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from ostiary.core.change import Subscriber, on
from ostiary.core.mail.template import ORIGIN_EXAMPLE, MailTemplate
from ostiary.core.signin.watch import SUSPICIOUS_LOGIN
from ostiary.core.wiring import Parts
from ostiary.features.alerts import flow
from ostiary.features.alerts.api import router
from ostiary.features.alerts.pages import PAGES
from ostiary.features.alerts.settings import AlertSettings
from ostiary.http.access import PUBLIC
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes


def _subscribers(parts: Parts) -> Sequence[Subscriber]:
    return (on(SUSPICIOUS_LOGIN, partial(flow.notice, parts)),)


_EXAMPLE: Final = {
    "reasons": [
        {"name": "new_device", "values": {}},
        {
            "name": "impossible_travel",
            "values": {
                "before": "Lagos, NG",
                "at": "2026-05-04T08:50:00+00:00",
                "place": "Oslo, NO",
                "km": 5950,
                "within": 2400,
            },
        },
    ],
    "link": "https://auth.example.com/not-me?token=EXAMPLE",
    "link_lifetime": timedelta(days=7),
    **ORIGIN_EXAMPLE,
}

RIB = Rib(
    name="alerts",
    settings=(AlertSettings,),
    events=flow.EVENTS,
    mails=(
        MailTemplate(
            flow.UNUSUAL,
            __package__,
            "To every address: somebody signed in, and something about it was unusual; `reasons` says what.",
            _EXAMPLE,
        ),
        MailTemplate(
            flow.STOPPED,
            __package__,
            "To every address: somebody knew how to sign in and was not let in, because it was too unusual.",
            {**_EXAMPLE, "by_mail": True},
        ),
    ),
    subscribers=_subscribers,
    json_routes=(JsonRoutes(router, PUBLIC),),
    hot_routes=PAGES,
)
