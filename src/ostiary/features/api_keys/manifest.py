"""Owns what API keys plug into the engine."""

from typing import Final

from ostiary.core.mail.template import ORIGIN_EXAMPLE, MailTemplate
from ostiary.features.api_keys import flow
from ostiary.features.api_keys.api import router
from ostiary.features.api_keys.cli import commands
from ostiary.features.api_keys.pages import PAGES, SECTION
from ostiary.http.access import SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes

_KEY: Final = {"name": "Deploy", "key": "ost_live_01m7z4v1q2w3e4r5t6y7v8x9z0", **ORIGIN_EXAMPLE}

RIB = Rib(
    name="api_keys",
    events=flow.EVENTS,
    mails=(
        MailTemplate(flow.CREATED_EVENT.name, __package__, "To every address: an API key was made.", _KEY),
        MailTemplate(
            flow.ROTATED_EVENT.name, __package__, "To every address: an API key was given a successor.", _KEY
        ),
        MailTemplate(flow.REVOKED_EVENT.name, __package__, "To every address: an API key was revoked.", _KEY),
    ),
    takes_api_keys=True,
    json_routes=(JsonRoutes(router, SESSION),),
    hot_routes=PAGES,
    account_sections=(SECTION,),
    commands=commands,
)
