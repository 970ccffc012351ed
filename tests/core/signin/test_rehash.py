"""A password whose hash is out of date gets a new one at a sign-in, and nobody who is right is refused for it."""

import asyncio
from pathlib import Path
from typing import Any

from ostiary.core.accounts import accounts
from ostiary.testing import running
from tests.core.signin.stage import StoppedClock, account_id, login
from tests.support.server import ROOT_SECRET

ANNA = "anna@example.com"


async def test_three_at_once_with_an_old_hash(database_url: str, tmp_path: Path) -> None:
    """Each of them hashes it anew; the first one's hash is kept, and all are in."""
    given: dict[str, Any] = {"database": database_url, "clock": StoppedClock(), "root_secret": ROOT_SECRET}
    async with running(tmp_path, **given) as kit:
        await kit.signed_up(ANNA)
        anna = await account_id(kit, ANNA)
        old = await accounts.password_of(kit.engine.core.database, anna)
    async with running(tmp_path, scheme=None, **given) as kit:
        answers = await asyncio.gather(*(login(kit.browser(), ANNA) for _ in range(3)))
        assert {answer.status_code for answer in answers} == {200}
        new = await accounts.password_of(kit.engine.core.database, anna)
        assert old is not None
        assert new is not None
        assert new.hash != old.hash
        assert (await login(kit.browser(), ANNA)).status_code == 200
        again = await accounts.password_of(kit.engine.core.database, anna)
        assert again == new, "it is up to date now"
