"""Owns what registration plugs into the engine."""

from ostiary.core.mail.template import MailTemplate
from ostiary.features.registration.api import router
from ostiary.features.registration.flow import ALREADY_REGISTERED
from ostiary.features.registration.pages import PAGES
from ostiary.features.registration.settings import RegistrationSettings
from ostiary.http.access import PUBLIC
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes

RIB = Rib(
    name="registration",
    settings=(RegistrationSettings,),
    mails=(
        MailTemplate(
            ALREADY_REGISTERED, __package__, "To the owner of an address that somebody registered again.", {}
        ),
    ),
    json_routes=(JsonRoutes(router, PUBLIC),),
    hot_routes=PAGES,
)
