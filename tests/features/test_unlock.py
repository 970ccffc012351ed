"""What an operator can do for somebody who is locked out."""

from datetime import timedelta

import pytest

from ostiary.features.signin import flow
from ostiary.kernel.errors import Refused
from ostiary.testing import Kit
from ostiary.testing.kit import PASSWORD

ANNA = "anna@example.com"


async def _try(kit: Kit, password: str, ip: str = "192.0.2.10") -> int:
    body = {"identifier": ANNA, "password": password}
    return (await kit.browser(ip).post("/auth/login", json=body)).status_code


async def test_unlocking_ends_a_lock(kit: Kit) -> None:
    """After `users unlock` the right password works at once, and the count begins anew."""
    await kit.signed_up(ANNA)
    assert [await _try(kit, "certainly wrong") for _ in range(6)] == [401] * 5 + [429]
    await flow.unlock(kit.engine.core, "ANNA@example.com")
    assert await _try(kit, "certainly wrong") == 401
    assert await _try(kit, PASSWORD) == 200


async def test_unlocking_enables_a_disabled_password(kit: Kit) -> None:
    """A password that a hundred failures disabled works again, unchanged."""
    await kit.signed_up(ANNA)
    for number in range(100):
        assert await _try(kit, "certainly wrong", f"198.51.100.{number}") == 401
        kit.clock.turn(timedelta(hours=3))
    assert await _try(kit, PASSWORD, "203.0.113.1") == 401
    await flow.unlock(kit.engine.core, ANNA)
    assert await _try(kit, PASSWORD, "203.0.113.2") == 200


async def test_an_address_that_nobody_has_is_refused(kit: Kit) -> None:
    """The operator is told when there is no such account."""
    with pytest.raises(Refused, match="not_found"):
        await flow.unlock(kit.engine.core, "nobody@example.com")
