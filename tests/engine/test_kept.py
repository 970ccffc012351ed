"""Every table is accounted for: whose rows an owner is told of, and which go when an account is deleted."""

from typing import Final

import pytest

from ostiary.engine.features import RIBS
from ostiary.engine.wire import kept
from ostiary.http.rib import Rib
from ostiary.kernel.errors import Misuse
from ostiary.storage.schema import metadata

# Tables that no `Kept` tells of, and why. A table with rows about accounts belongs into a rib's `kept` instead.
UNTOLD: Final = {
    "address_claim": "registrations that wait: until their proof they belong to nobody",
    "once": "hashes of single-use secrets, for a day at most",
    "outbox": "sealed mails on their way to the owner",
    "throttle": "counters under keyed hashes, which name nobody",
    "deleted_account": "ids of accounts that are gone, for two days",
    "keyring": "keys of the deployment",
    "keyring_state": "keys of the deployment",
    "signing_key": "keys of the deployment",
    "revocation": "hashes of ids of sessions and accounts, for an hour",
    "role": "roles of the deployment",
    "role_book": "the number of their last change",
}


def test_somebody_tells_of_every_table() -> None:
    """A rib that keeps rows about accounts says so to their owners, or here why not."""
    told = {table for one in kept(RIBS) for table in one.tables}
    ours = set(metadata.tables)
    assert told | UNTOLD.keys() == ours
    assert not told & UNTOLD.keys()


def test_names_are_unique() -> None:
    """Two parts under one name would hide each other."""
    (one,) = [rib for rib in RIBS if rib.name == "totp"]
    with pytest.raises(Misuse, match="same name"):
        kept((*RIBS, Rib(name="another", kept=one.kept)))


# Columns that hold an account's id but go on without the account, and why.
OUTLIVE: Final = {
    ("journal", "account_id"): "what happened stays; what is about a person is taken out",
    ("deleted_account", "account_id"): "says whose journal is to be cleaned",
}


def test_nothing_outlives_its_account() -> None:
    """Each column with an account's id goes with the account, by its foreign key, or here why not."""
    columns = [column for table in metadata.tables.values() for column in table.columns]
    loose = {
        (column.table.name, column.name)
        for column in columns
        if column.name == "account_id" and not any(key.ondelete == "CASCADE" for key in column.foreign_keys)
    }
    assert loose == OUTLIVE.keys()
    others = {key.ondelete for column in columns for key in column.foreign_keys}
    assert others == {"CASCADE"}, "a row that stays would keep its account from going"


def test_going_reads_no_whole_table() -> None:
    """Each foreign key stands first in an index: what goes with a row is found without looking at all others."""
    for table in metadata.tables.values():
        indexes = [list(table.primary_key.columns), *(list(index.columns) for index in table.indexes)]
        first = {columns[0].name for columns in indexes if columns}
        assert {column.name for column in table.columns if column.foreign_keys} <= first, table.name
