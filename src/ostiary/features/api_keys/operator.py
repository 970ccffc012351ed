"""Owns what an operator does with API keys: those of services, and revoking anybody's."""

from collections.abc import Sequence
from typing import Final

from ostiary.core.access import access
from ostiary.core.accounts import accounts, services
from ostiary.core.accounts.accounts import Account
from ostiary.core.api_keys import store
from ostiary.core.api_keys.keys import ApiKey, from_key_row
from ostiary.core.change import Change
from ostiary.core.wiring import Core
from ostiary.features.api_keys.flow import Made, end, make, settings_of, succeed
from ostiary.features.api_keys.wish import Wish, judge
from ostiary.kernel.errors import Misuse
from ostiary.kernel.origin import Origin

OPERATOR: Final = "operator"


async def create_for_service(core: Core, service: str, wish: Wish, roles: Sequence[str] = ()) -> Made:
    """Make a key for a service, whose account is made if there is none of that name.

    Args:
        roles: What the service shall hold from now on, so that the key can have the wish's scopes.

    Raises:
        Misuse: the name is none, or there is no such role.
        Refused: `invalid_request`, `api_key_scope_denied` or `api_key_limit`.
    """
    wanted = judge(wish, settings_of(core).api_key_lifetime, core.world.now())

    async def work(change: Change) -> Made:
        account = await services.find_or_create(change, service)
        book = await core.authority.book.now(change)
        for role in roles:
            if role not in book.roles:
                raise Misuse(f"there is no role {role!r}; there are {', '.join(sorted(book.roles))}")
            await access.grant(change, account.id, role, OPERATOR)
        standing = await core.authority.standing_of(change, account.id)
        return await make(core, change, account, wanted, standing, OPERATOR)

    async with core.runner.flow(Origin()) as flow:
        return await flow.change(work)


async def rotate_for_service(core: Core, service: str, key_id: str) -> Made:
    """Give a key of a service a successor.

    Raises:
        Misuse: there is no such service.
        Refused: `not_found` or `api_key_rotated`.
    """
    found = key_id.rpartition("_")[2]

    async def work(change: Change) -> Made:
        return await succeed(core, change, await _service(change, service), found, OPERATOR)

    async with core.runner.flow(Origin()) as flow:
        return await flow.change(work)


async def revoke(core: Core, key: str) -> str:
    """Let anybody's key count for nothing from now on.

    Args:
        key: Its id, or what is shown of it; of a key that was found, all that stands before the secret is enough.

    Returns:
        Its id.

    Raises:
        Misuse: nobody has such a key.
        Refused: `not_found`; it was revoked before, or ended with its account's other keys.
    """
    key_id = key.rpartition("_")[2]

    async def work(change: Change) -> None:
        owner = await change.one(store.OWNER, of_id=key_id)
        if owner is None or await accounts.lock(change, owner) is None:
            raise Misuse(f"there is no API key {key_id!r}; `ostiary api-keys list` shows those of an account")
        await end(change, owner, key_id, OPERATOR)

    async with core.runner.flow(Origin()) as flow:
        await flow.change(work)
    return key_id


async def listed(core: Core, owner: str) -> list[ApiKey]:
    """The keys of an account, oldest first.

    Args:
        owner: An address, or ``service:NAME``.

    Raises:
        Misuse: there is no such account.
    """
    account_id = await services.named(core.database, owner)
    if account_id is None:
        raise Misuse(f"there is no account {owner}")
    return [from_key_row(row) for row in await core.database.all(store.LISTED, of_account=account_id)]


async def _service(change: Change, name: str) -> Account:
    found = await services.find(change, services.check_name(name))
    account = await accounts.lock(change, found) if found else None
    if account is None:
        raise Misuse(f"there is no service {name!r}; `ostiary api-keys create --service {name}` makes it")
    return account
