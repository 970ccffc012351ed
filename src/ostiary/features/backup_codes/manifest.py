"""Owns what backup codes plug into the engine."""

from collections.abc import Sequence

from ostiary.core.mail.template import ORIGIN_EXAMPLE, MailTemplate
from ostiary.core.wiring import Parts
from ostiary.features.backup_codes import store
from ostiary.features.backup_codes.api import router
from ostiary.features.backup_codes.factor import EVENTS, BackupCodes
from ostiary.features.backup_codes.pages import PAGE, PAGES
from ostiary.features.backup_codes.settings import BackupCodeSettings
from ostiary.http.access import SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes


def _spares(parts: Parts) -> Sequence[BackupCodes]:
    return (BackupCodes(parts.world, parts.passwords, parts.settings.of(BackupCodeSettings)),)


RIB = Rib(
    name="backup_codes",
    settings=(BackupCodeSettings,),
    events=EVENTS,
    mails=(
        MailTemplate(
            "backup_code_used",
            __package__,
            "To every address: a backup code was used; `few`: so few remain that new ones should be made.",
            {"remaining": 2, "few": True, **ORIGIN_EXAMPLE},
        ),
        MailTemplate(
            "backup_codes_replaced",
            __package__,
            "To every address: new backup codes replaced all older ones.",
            {"count": 10, **ORIGIN_EXAMPLE},
        ),
    ),
    spares=_spares,
    json_routes=(JsonRoutes(router, SESSION),),
    hot_routes=PAGES,
    factor_pages=(PAGE,),
    kept=(store.KEPT,),
)
