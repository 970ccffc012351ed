"""Owns replacing an account's backup codes."""

from typing import Final

from ostiary.core.change import Change
from ostiary.core.throttle.limits import Hit, Window
from ostiary.core.wiring import Core
from ostiary.features.backup_codes.factor import REPLACED, BackupCodes
from ostiary.features.backup_codes.settings import BackupCodeSettings
from ostiary.kernel.errors import Refused, code
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal
from ostiary.kernel.secret import Secret
from ostiary.storage.database import Reads

NO_FACTOR: Final = code(
    "no_factor",
    409,
    "There is no second factor yet.",
    "Backup codes stand in for a second factor and come along with the first one; add one.",
)


async def replace(core: Core, origin: Origin, who: Principal) -> tuple[Secret, ...]:
    """Make new codes; all older ones, used or not, are gone.

    Returns:
        The codes, to be shown this once.

    Raises:
        Refused: `fresh_authentication_required`, `no_factor`, `session_ended` or `too_many_attempts`.
        Unavailable: the hashing pool is full.
    """
    settings = core.settings.of(BackupCodeSettings)
    spare = BackupCodes(core.world, core.passwords, settings)
    by_account = Window("backup-codes", settings.backup_code_sets_per_account, by_network=False)
    async with core.runner.flow(origin) as flow:
        flow.concerns(who.account_id)
        await core.factors.require(flow.reads, who)
        await _require_factor(core, flow.reads, who)
        await flow.reserve(Hit(by_account, f"account:{who.account_id}"))
        made = await spare.make(who.account_id)

        async def work(change: Change) -> tuple[Secret, ...]:
            await core.factors.hold(change, who)
            await _require_factor(core, change, who)
            await change.emit(REPLACED(who.account_id, count=len(made)))
            return await spare.put(change, who.account_id, made)

        return await flow.change(work)


async def _require_factor(core: Core, reads: Reads, who: Principal) -> None:
    if not await core.factors.own(reads, who.account_id):
        raise Refused(NO_FACTOR, "nothing that the codes could stand in for", counted=False)
