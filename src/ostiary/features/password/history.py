"""Owns what is remembered of an account's earlier passwords."""

from ostiary.core.accounts import accounts
from ostiary.core.change import Change
from ostiary.features.password import store
from ostiary.storage.database import Reads


def in_words(count: int) -> tuple[str, ...]:
    """What pages say of it before anybody has typed.

    Args:
        count: As for `last`.
    """
    if not count:
        return ()
    return ("Not the present one." if count == 1 else f"None of your last {count} passwords.",)


async def last(reads: Reads, account_id: str, count: int) -> list[str]:
    """The stored passwords that a new one may not repeat, the present one first.

    Args:
        count: How many, the present one among them; 0 for none.
    """
    if not count:
        return []
    present = await accounts.password_of(reads, account_id)
    earlier = await reads.all(store.EARLIER, account_id=account_id, limit=count - 1)
    return [*([present.hash] if present else []), *earlier]


async def retire(change: Change, account_id: str, count: int) -> None:
    """Keep the present password, which is about to be replaced, among the earlier ones; forget what is too old.

    Args:
        count: As for `last`; 0 forgets them all.
    """
    if count:
        await change.run(store.RETIRE, id=change.world.id(), of_account=account_id, now=change.micros)
    await change.run(store.PRUNE, of_account=account_id, keep=max(count - 1, 0))


async def forget(change: Change, account_id: str) -> None:
    """Keep nothing: they were somebody else's."""
    await change.run(store.PRUNE, of_account=account_id, keep=0)
