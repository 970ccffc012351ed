"""Owns what magic links plug into the engine."""

from datetime import timedelta

from ostiary.core.mail.template import ORIGIN_EXAMPLE, MailTemplate
from ostiary.features.magic_link import flow
from ostiary.features.magic_link.api import router
from ostiary.features.magic_link.pages import PAGES
from ostiary.features.magic_link.settings import MagicLinkSettings
from ostiary.features.magic_link.way import MagicLinkWay
from ostiary.http.access import PUBLIC
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes

RIB = Rib(
    name="magic_link",
    settings=(MagicLinkSettings,),
    events=flow.EVENTS,
    ways=(MagicLinkWay.name,),
    mails=(
        MailTemplate(
            flow.MAIL,
            __package__,
            "The link that signs in.",
            {
                "link": "https://auth.example.com/login/link?token=EXAMPLE",
                "link_lifetime": timedelta(minutes=10),
                **ORIGIN_EXAMPLE,
            },
        ),
    ),
    json_routes=(JsonRoutes(router, PUBLIC),),
    hot_routes=PAGES,
)
