"""Owns the JSON route of backup codes."""

from fastapi import APIRouter

from ostiary.features.backup_codes import flow
from ostiary.http.access import CurrentOrigin, CurrentSession
from ostiary.http.inputs import CurrentCore, JsonBody

router = APIRouter(tags=["second factors"])


class BackupCodesView(JsonBody):
    """The codes, shown this once."""

    backup_codes: list[str]


@router.post("/auth/mfa/backup-codes")
async def replace_backup_codes(
    core: CurrentCore, origin: CurrentOrigin, current: CurrentSession
) -> BackupCodesView:
    """Make new backup codes in place of all older ones. Wants a fresh sign-in and a second factor."""
    made = await flow.replace(core, origin, current.principal)
    return BackupCodesView(backup_codes=[one.reveal() for one in made])
