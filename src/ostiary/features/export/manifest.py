"""Owns what the export plugs into the engine."""

from ostiary.core.mail.template import ORIGIN_EXAMPLE, MailTemplate
from ostiary.features.export import flow
from ostiary.features.export.api import EXPORT_DOC, export
from ostiary.features.export.cli import commands
from ostiary.features.export.pages import PAGES, SECTION
from ostiary.features.export.settings import ExportSettings
from ostiary.http.access import SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import Hot

RIB = Rib(
    name="export",
    settings=(ExportSettings,),
    events=flow.EVENTS,
    mails=(
        MailTemplate(
            flow.EXPORTED.name,
            __package__,
            "To every address: everything that is kept about the account was downloaded.",
            {"by": "owner", **ORIGIN_EXAMPLE},
        ),
    ),
    hot_routes=(Hot("/auth/account/export", ("GET",), export, SESSION, EXPORT_DOC), *PAGES),
    account_sections=(SECTION,),
    commands=commands,
)
