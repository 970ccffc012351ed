"""Owns the way out when every factor is lost."""

from ostiary.core.accounts import accounts
from ostiary.core.change import Change
from ostiary.core.wiring import Core
from ostiary.kernel.errors import NOT_FOUND, Refused
from ostiary.kernel.origin import Origin


async def reset(core: Core, email: str) -> tuple[str, tuple[str, ...]]:
    """Remove every second factor of an account; its sessions end and its owner gets a mail. For operators.

    Returns:
        The account's id, and the kinds that it had.

    Raises:
        Refused: `not_found`; nobody has this address.
    """

    async def work(change: Change) -> tuple[str, tuple[str, ...]]:
        found = await accounts.find(change, email)
        if found is None:
            raise Refused(NOT_FOUND, "nobody has this address")
        return found.account_id, await core.factors.reset(change, found.account_id)

    async with core.runner.flow(Origin()) as flow:
        return await flow.change(work)
