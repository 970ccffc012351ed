"""L17: a code or a refresh token worked for another client than its own. Whose it is stands in the lookup itself."""

import pytest
import sqlalchemy as sa

from ostiary.core.tokens.store import refresh_family
from ostiary.storage.statement import Query, command
from ostiary.testing import Kit
from tests.core.signin.stage import changed, dump
from tests.features.tokens.stage import ANNA, code_of, pair_of, refresh

_COLUMNS = ("client_id", "delivery")
_NOW = {
    name: Query(f"test.{name}_now", sa.select(refresh_family.c[name]), str, scan=True) for name in _COLUMNS
}
_TURN = {
    name: command(f"test.turn_{name}", sa.update(refresh_family).values({name: sa.bindparam("to")}))
    for name in _COLUMNS
}


@pytest.mark.parametrize("column", _COLUMNS)
async def test_a_refresh_token_of_another_client(kit: Kit, column: str) -> None:
    """Presented by a client that it was not handed to it is none, and nothing happens to its family or session."""
    await kit.signed_up(ANNA)
    pair = await pair_of(kit)
    before = await kit.engine.core.database.one(_NOW[column])
    await changed(kit, lambda change: change.run(_TURN[column], to="another"))
    rows = await dump(kit, without=("outbox",))
    assert code_of(await refresh(kit, pair["refresh_token"])) == "refresh_token_invalid"
    assert await dump(kit, without=("outbox",)) == rows
    await changed(kit, lambda change: change.run(_TURN[column], to=before))
    assert (await refresh(kit, pair["refresh_token"])).status_code == 200
