"""Owns what codes by mail plug into the engine."""

from collections.abc import Sequence
from datetime import timedelta

from ostiary.core.mail.template import ORIGIN_EXAMPLE, MailTemplate
from ostiary.core.wiring import Parts
from ostiary.features.email_code import flow, store
from ostiary.features.email_code.api import router
from ostiary.features.email_code.factor import MAIL, EmailCodeFactor
from ostiary.features.email_code.pages import PAGE, PAGES
from ostiary.features.email_code.settings import EmailCodeSettings
from ostiary.http.access import SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes


def _factors(parts: Parts) -> Sequence[EmailCodeFactor]:
    return (EmailCodeFactor(parts),)


RIB = Rib(
    name="email_code",
    settings=(EmailCodeSettings,),
    events=flow.EVENTS,
    mails=(
        MailTemplate(
            MAIL,
            __package__,
            "The code that is a second step.",
            {"code": "123456", "code_lifetime": timedelta(minutes=10), **ORIGIN_EXAMPLE},
        ),
    ),
    factors=_factors,
    json_routes=(JsonRoutes(router, SESSION),),
    hot_routes=PAGES,
    factor_pages=(PAGE,),
    kept=(store.KEPT,),
)
