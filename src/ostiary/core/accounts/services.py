"""Owns accounts of services: programs that act for nobody. Such an account has a name, no address and no way in."""

import re
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.accounts import accounts, store
from ostiary.core.accounts.accounts import SERVICE, Account
from ostiary.core.accounts.address import parse_email
from ostiary.core.change import Change
from ostiary.kernel.errors import Misuse
from ostiary.kernel.events import EventType, Severity
from ostiary.storage.database import Conflict, Reads
from ostiary.storage.statement import Query, command

CREATED: Final = EventType(
    "service_created", "An operator made an account for a service.", Severity.NOTICE, ("name",)
)
EVENTS: Final = (CREATED,)
_NAME: Final = re.compile(r"[a-z][a-z0-9.-]{0,63}", re.ASCII)

_ADD: Final = command(
    "services.add",
    sa.insert(store.account).values(
        id=bindparam("id"),
        status="active",
        name=bindparam("name"),
        profile="{}",
        security_epoch=1,
        created_at=bindparam("now"),
        updated_at=bindparam("now"),
        kind=SERVICE,
    ),
)
# The name is an identifier, so two services never share one. No way in looks for identifiers of this kind.
_ADD_NAME: Final = command(
    "services.add_name",
    sa.insert(store.identifier).values(
        kind=SERVICE,
        normal=bindparam("name"),
        shown=bindparam("name"),
        account_id=bindparam("id"),
        is_primary=0,
        verified_at=sa.null(),
        created_at=bindparam("now"),
    ),
)
_FIND: Final = Query(
    "services.find",
    sa.select(store.identifier.c.account_id).where(
        store.identifier.c.kind == SERVICE, store.identifier.c.normal == bindparam("name")
    ),
    str,
)


def check_name(name: str) -> str:
    """Check the name of a service.

    Raises:
        Misuse: it is none.
    """
    if not _NAME.fullmatch(name):
        raise Misuse(
            f"{name!r} is no name of a service: write 1 to 64 lower-case letters, digits, dots and dashes, a letter "
            "first"
        )
    return name


async def find(reads: Reads, name: str) -> str | None:
    """The account of a service; None when there is none of that name."""
    return await reads.one(_FIND, name=name)


async def named(reads: Reads, words: str) -> str | None:
    """The account that an operator names: by an e-mail address, or as ``service:NAME``.

    Raises:
        Misuse: it is no name of a service.
        Refused: `invalid_request`; it is no address, either.
    """
    kind, colon, name = words.partition(":")
    if colon and kind == SERVICE:
        return await find(reads, check_name(name))
    owner = await accounts.owner_of(reads, parse_email(words))
    return None if owner is None else owner.account_id


async def find_or_create(change: Change, name: str) -> Account:
    """The account of a service, its row locked; a new one where there is none of that name.

    Raises:
        Misuse: the name is none.
        Conflict: somebody else was first; run the change again.
    """
    found = await find(change, check_name(name))
    if found is None:
        found = change.world.id()
        given = {"id": found, "name": name, "now": change.micros}
        await change.run(_ADD, **given)
        await change.run(_ADD_NAME, **given)
        await change.emit(CREATED(found, name=name))
    account = await accounts.lock(change, found)
    if account is None:
        raise Conflict("service")
    return account
