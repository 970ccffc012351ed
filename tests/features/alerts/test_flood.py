"""Whoever knows the password cannot fill the mailbox of its owner by changing networks, nor hide in that."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ostiary.features.alerts.flow import PAGE, tell_held
from ostiary.testing import Kit, running
from tests.core.signin.stage import StoppedClock, account_id, login
from tests.features.password.stage import add_address, token_in
from tests.security.stage import drained

ANNA, SECOND = "anna@example.com", "anna@work.example.com"
EXITS = "203.0.113.0/24"


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """A running engine that is wary of some networks; Anna has two addresses."""
    exits = tmp_path / "exits.txt"
    exits.write_text(EXITS)
    given: dict[str, Any] = {"risk_networks_file": exits, "sessions_per_account": 100}
    async with running(tmp_path, database=database_url, clock=StoppedClock(), **given) as kit:
        await kit.signed_in(ANNA)
        await add_address(kit, await account_id(kit, ANNA), SECOND, verified_at=2)
        yield kit


async def told(kit: Kit, address: str = ANNA) -> list[str]:
    """The subjects of what was mailed about sign-ins, sorted by the time of their coming."""
    await drained(kit)
    mails = [mail for mail in kit.mailbox.messages() if mail["to"] == address]
    return [mail["subject"] for mail in mails if "sign-in" in mail["subject"]]


async def enter(kit: Kit, numbers: range, network: str = "198.51.100.{}") -> None:
    """Sign in from one network after the other."""
    for number in numbers:
        await login(kit.browser(network.format(number)), ANNA)


async def test_three_an_hour_and_the_rest_in_one(kit: Kit) -> None:
    """Three of each kind are told at once; the rest after an hour, once, at each address, with a link that is good."""
    await enter(kit, range(10))
    await enter(kit, range(5), "203.0.113.{}")
    unusual = ["An unusual sign-in to your ostiary account"] * 3
    stopped = ["A sign-in to your ostiary account was stopped"] * 3
    assert await told(kit) == await told(kit, SECOND) == unusual + stopped
    core = kit.engine.core
    kit.clock.turn(timedelta(minutes=59))
    assert await tell_held(core) == 0
    kit.clock.turn(timedelta(minutes=1))
    assert sum(await asyncio.gather(*(tell_held(core) for _ in range(4)))) == 1, (
        "of several workers one tells"
    )
    assert (
        (await told(kit))[6:]
        == (await told(kit, SECOND))[6:]
        == ["9 more unusual sign-ins to your ostiary account"]
    )
    await enter(kit, range(10, 11))
    assert len(await told(kit)) == 8, "the hour is over"

    mail = next(one for one in reversed(kit.mailbox.messages()) if "9 more" in one["subject"])
    link = next(one for one in mail["links"] if PAGE in one)
    owner = kit.browser()
    page = await owner.get(link.partition("test")[2], follow_redirects=True)
    assert "there were unusual sign-ins" in page.text
    assert (await owner.post("/auth/not-me", json={"token": token_in(mail)})).status_code == 200
    assert (await login(owner, ANNA)).status_code == 401


async def test_what_is_held_back_goes_with_the_account(kit: Kit) -> None:
    """The export tells of it, and a deleted account leaves nothing behind that somebody is told of."""
    await enter(kit, range(5))
    anna = await kit.sign_in(ANNA)
    document = (await anna.get("/auth/account/export")).json()
    assert document["alerts_held"]["count"] == 2
