"""Owns what alerts plug into the engine."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

from ostiary.core.change import Subscriber, on
from ostiary.core.kept.tables import of_table
from ostiary.core.mail.template import ORIGIN_EXAMPLE, MailTemplate
from ostiary.core.outbox.worker import Chore
from ostiary.core.signin.watch import SUSPICIOUS_LOGIN
from ostiary.core.wiring import Core, Parts
from ostiary.features.alerts import flow
from ostiary.features.alerts.api import router
from ostiary.features.alerts.cli import commands
from ostiary.features.alerts.pages import PAGES
from ostiary.features.alerts.settings import AlertSettings
from ostiary.features.alerts.store import alert_held
from ostiary.http.access import PUBLIC
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes
from ostiary.kernel.world import World
from ostiary.storage.database import Database


def _subscribers(parts: Parts) -> Sequence[Subscriber]:
    return (on(SUSPICIOUS_LOGIN, partial(flow.notice, parts)),)


def _chores(core: Core) -> Sequence[Chore]:
    async def tell(database: Database, world: World) -> int:
        return await flow.tell_held(core)

    return (Chore("alerts held back", _EVERY, tell),)


_EVERY: Final = timedelta(minutes=5)
_EXAMPLE: Final[Mapping[str, Any]] = {
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
        MailTemplate(
            flow.SEVERAL,
            __package__,
            "To every address: so many more were not told one by one, since there were too many.",
            {"num": 12, **{name: _EXAMPLE[name] for name in ("at", "link", "link_lifetime")}},
        ),
    ),
    subscribers=_subscribers,
    commands=commands,
    chores=_chores,
    json_routes=(JsonRoutes(router, PUBLIC),),
    hot_routes=PAGES,
    kept=(of_table("alerts_held", alert_held, ("since", "count"), is_one=True),),
)
