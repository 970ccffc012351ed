"""The last passwords are not used again: on change and on reset, however many at once, at a bounded cost."""

from pathlib import Path

import pytest

from ostiary.engine.settings import EngineSettings
from ostiary.kernel.errors import Misuse
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import dump
from tests.features.password.stage import ANNA, NEW, WRONG, change, codes, link, reset, signs_in


def nth(number: int) -> str:
    """One password of many."""
    return f"harbour number {number} with lanterns"


async def test_the_last_five_are_refused_and_the_sixth_is_not(kit: Kit) -> None:
    """On change: the present one and the four before it are refused; the oldest may come back."""
    own = await kit.signed_in(ANNA)
    used = [PASSWORD]
    for number in range(5):
        assert (await change(own, nth(number), used[-1])).status_code == 200
        used.append(nth(number))
    for password in used[1:]:
        assert codes(await change(own, password, used[-1])) == ["password_reused"]
    assert (await change(own, used[0], used[-1])).status_code == 200
    assert await signs_in(kit, used[0]) == 200
    assert len((await dump(kit))["password_history"]) == 4


async def test_a_reset_remembers_as_well(kit: Kit) -> None:
    """The link stays good until a password is chosen that was not used; changes and resets share one memory."""
    own = await kit.signed_in(ANNA)
    assert (await change(own, NEW, PASSWORD)).status_code == 200
    token = await link(kit)
    for password in (PASSWORD, NEW):
        assert codes(await reset(kit, token, password)) == ["password_reused"]
    assert (await reset(kit, token, nth(1))).status_code == 200
    fresh = await kit.sign_in(ANNA, nth(1))
    for password in (PASSWORD, NEW, nth(1)):
        assert codes(await change(fresh, password)) == ["password_reused"]


async def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    """A password that was good once and breaks two rules of today is refused for all three reasons."""
    async with running(tmp_path) as kit:
        await kit.signed_up(ANNA, "lanterns of the harbour")
        root = kit.engine.settings.of(EngineSettings).root_secret
    assert root is not None
    async with running(tmp_path, root_secret=root.reveal(), password_preset="composition12") as kit:
        own = await kit.sign_in(ANNA, "lanterns of the harbour")
        assert codes(await change(own, "lanterns of the harbour")) == [
            "password_needs_upper",
            "password_needs_digit",
            "password_reused",
        ]


async def test_composed_and_decomposed_are_one_password(kit: Kit) -> None:
    """What signs in alike is also reused alike."""
    await kit.signed_up(ANNA, "le café du vieux port")
    own = await kit.sign_in(ANNA, "le café du vieux port")
    assert codes(await change(own, "le cafe\u0301 du vieux port")) == ["password_reused"]


async def test_nothing_is_remembered_of_others(kit: Kit) -> None:
    """Two accounts may have the same password, and each one's memory is its own."""
    await kit.signed_up("bert@example.com", NEW)
    own = await kit.signed_in(ANNA)
    assert (await change(own, NEW, PASSWORD)).status_code == 200


async def test_switched_off_nothing_is_kept(tmp_path: Path) -> None:
    """With 0 the present password may be set again, and no earlier hash stays in the database."""
    async with running(tmp_path, password_history=0) as kit:
        own = await kit.signed_in(ANNA)
        assert (await change(own, PASSWORD, PASSWORD)).status_code == 200
        assert (await change(own, NEW, PASSWORD)).status_code == 200
        assert (await dump(kit))["password_history"] == []


async def test_a_shorter_memory_forgets_at_the_next_change(tmp_path: Path) -> None:
    """With 1 only the present password is refused, and what a longer memory has kept is removed."""
    async with running(tmp_path, password_history=1) as kit:
        own = await kit.signed_in(ANNA)
        assert codes(await change(own, PASSWORD)) == ["password_reused"]
        assert (await change(own, NEW)).status_code == 200
        assert (await dump(kit))["password_history"] == []
        assert (await change(own, PASSWORD)).status_code == 200


@pytest.mark.parametrize("count", [-1, 25])
async def test_the_memory_has_bounds(tmp_path: Path, count: int) -> None:
    """A setting that would cost more hashes than anybody should pay is refused at start."""
    with pytest.raises(Misuse, match="password_history"):
        async with running(tmp_path, password_history=count):
            pass


async def test_what_a_change_costs(kit: Kit) -> None:
    """The current password, five remembered ones and the new hash: seven; wrong or unknown cost one and none."""
    own = await kit.signed_in(ANNA)
    for number in range(5):
        assert (await change(own, nth(number))).status_code == 200
    pool = kit.engine.core.passwords.pool

    async def cost(*given: str) -> int:
        before = pool.accepted
        await change(own, *given)
        return pool.accepted - before

    assert await cost(NEW, nth(4)) == 7
    assert await cost(nth(7), WRONG) == 1
    assert await cost("x" * 5000, NEW) == 1, "what is too long is compared with nothing"
    before = pool.accepted
    assert (await reset(kit, "A" * 43, nth(8))).status_code == 400
    assert pool.accepted == before, "a link that is none costs no hash"
