"""L17: a code or a refresh token worked for another client than its own. Whose it is stands in the lookup itself."""

import pytest
import sqlalchemy as sa

from ostiary.core.tokens.store import refresh_family
from ostiary.testing import Kit
from tests.core.signin.stage import dump
from tests.features.tokens.stage import ANNA, code_of, pair_of, refresh
from tests.storage.shelf import plain_engine


@pytest.mark.parametrize("column", ["client_id", "delivery"])
async def test_a_refresh_token_of_another_client(kit: Kit, database_url: str, column: str) -> None:
    """Presented by a client that it was not handed to it is none, and nothing happens to its family or session."""
    await kit.signed_up(ANNA)
    pair = await pair_of(kit)
    engine = plain_engine(database_url)
    with engine.begin() as connection:
        before = connection.execute(sa.select(refresh_family.c[column])).scalar_one()
        connection.execute(sa.update(refresh_family).values({column: "another"}))
    rows = await dump(kit, without=("outbox",))
    assert code_of(await refresh(kit, pair["refresh_token"])) == "refresh_token_invalid"
    assert await dump(kit, without=("outbox",)) == rows
    with engine.begin() as connection:
        connection.execute(sa.update(refresh_family).values({column: before}))
    engine.dispose()
    assert (await refresh(kit, pair["refresh_token"])).status_code == 200
