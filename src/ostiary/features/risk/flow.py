"""Owns asking what would be unusual about a sign-in, for operators who choose a policy or are asked why."""

from ostiary.core.accounts import accounts
from ostiary.core.change import Change
from ostiary.core.signin.watch import Caution, Seen
from ostiary.core.wiring import Core
from ostiary.features.risk.watch import watch
from ostiary.kernel.errors import NOT_FOUND, Refused
from ostiary.kernel.origin import Origin


async def explain(core: Core, email: str, origin: Origin) -> Caution:
    """What would be unusual if the owner of an address signed in now; nobody does, and nothing is written.

    Failures before it and the password are not known here.

    Raises:
        Refused: `not_found`; nobody has this address.
    """

    async def work(change: Change) -> Caution:
        found = await accounts.find(change, email)
        account = await accounts.lock(change, found.account_id) if found else None
        if account is None:
            raise Refused(NOT_FOUND, "nobody has this address")
        return await watch(core).look(change, Seen(account, origin, ()))

    async with core.runner.flow(origin) as flow:
        return await flow.change(work)
