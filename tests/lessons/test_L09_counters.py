"""L09: counters are canonical and atomic, every factor is counted, and success clears only the account's own."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from ostiary.core.change import Change
from ostiary.core.signin.ways import Enrolled, Factor, Proof, Proven
from ostiary.engine.features import RIBS
from ostiary.http.rib import Rib
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.storage.database import Reads
from ostiary.testing import Browser, Kit
from ostiary.testing.kit import PASSWORD
from tests.security.stage import WRONG, ask, network, still, try_password

# Ten spellings of one address: case, spaces, full width, composed and decomposed, IDNA dots, U-label and A-label.
SPELLINGS = [
    "jörg.dürr@bücher.example",
    "JÖRG.DÜRR@BÜCHER.EXAMPLE",
    "Jörg.Dürr@bücher.example",
    "jo\u0308rg.du\u0308rr@bu\u0308cher.example",
    "  jörg.dürr@bücher.example  ",
    "\uff4aörg.dürr@bücher.example",
    "jörg\uff0edürr@bücher.example",
    "jörg.dürr@bücher\u3002example",
    "jörg.dürr@xn--bcher-kva.example",
    "jörg.dürr@XN--BCHER-KVA.Example",
]


@pytest.fixture
async def quiet(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine on each database, whose clock stands still."""
    async with still(tmp_path, database=database_url) as kit:
        yield kit


@pytest.mark.parametrize("is_known", [True, False])
async def test_spellings_share_one_counter(quiet: Kit, is_known: bool) -> None:
    """However an address is written, the fifth failure locks it, whether or not somebody has it."""
    if is_known:
        await quiet.signed_up(SPELLINGS[-2])  # mail goes to the ASCII form of the domain
    seen = [await try_password(quiet, typed, ip=network(n)) for n, typed in enumerate(SPELLINGS)]
    assert [one.status for one in seen] == [401] * 5 + [429] * 5


async def test_spellings_share_one_rate(quiet: Kit) -> None:
    """Registration and resending count an address, not the way in which it is written."""
    for path, more in (("/auth/register", {"password": PASSWORD}), ("/auth/email/resend", {})):
        seen = [
            await ask(quiet, path, {"email": typed, **more}, ip=network(n))
            for n, typed in enumerate(SPELLINGS)
        ]
        assert [one.status for one in seen] == [202] * 3 + [429] * 7


async def test_what_is_no_address_is_counted_as_well(quiet: Kit) -> None:
    """Guessing at a name that cannot exist is locked like any other, by its folded form."""
    typed = ["Root", "root", " ROOT ", "root", "root", "root"]
    assert [(await try_password(quiet, one)).status for one in typed] == [401] * 5 + [429]


@pytest.mark.parametrize("is_known", [True, False])
async def test_fifty_tries_at_once_get_five_verifications(quiet: Kit, is_known: bool) -> None:
    """Concurrent wrong passwords from fifty networks: five are verified, not one more."""
    if is_known:
        await quiet.signed_up("anna@example.com")
    pool = quiet.engine.core.passwords.pool
    before = pool.accepted
    bodies = [{"identifier": "anna@example.com", "password": f"wrong guess number {n}"} for n in range(50)]
    browsers = [quiet.browser(network(number)) for number in range(50)]
    answers = await asyncio.gather(
        *(browser.post("/auth/login", json=body) for browser, body in zip(browsers, bodies, strict=True))
    )
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 45
    assert pool.accepted - before == 2 * 5, "a failure costs two hashes"


async def test_a_success_among_many_tries_gives_nothing_away(quiet: Kit) -> None:
    """Forty-nine wrong and one right at once: at most nine are verified as wrong, four before it and five after."""
    await quiet.signed_up("anna@example.com")
    pool = quiet.engine.core.passwords.pool
    before = pool.accepted
    tries = [WRONG] * 3 + [PASSWORD] + [WRONG] * 46
    answers = await asyncio.gather(
        *(
            quiet.browser(network(n)).post(
                "/auth/login", json={"identifier": "anna@example.com", "password": typed}
            )
            for n, typed in enumerate(tries)
        )
    )
    assert {answer.status_code for answer in answers} <= {200, 401, 429}
    assert pool.accepted - before <= 2 * 9 + 1


async def test_success_clears_the_account_and_not_the_network(quiet: Kit) -> None:
    """Owning one account does not buy more guesses at others: the network's failures stay counted."""
    await quiet.signed_up("mallory@example.com")
    for number in range(19):
        await try_password(quiet, f"victim{number}@example.com")
        if number % 5 == 4:
            assert (await try_password(quiet, "mallory@example.com", PASSWORD)).status == 200
    assert (await try_password(quiet, "victim19@example.com")).header("ratelimit") == '"sign-in";r=0;t=900'
    quiet.clock.turn(timedelta(seconds=4))
    assert (await try_password(quiet, "mallory@example.com", PASSWORD)).status == 429


async def test_success_clears_the_accounts_counter(quiet: Kit) -> None:
    """Four failures, a success, four failures: no lock; and nobody else's counter is touched."""
    await quiet.signed_up("anna@example.com")
    for _ in range(4):
        assert (await try_password(quiet, "bob@example.com", ip=network(1))).status == 401
    for _ in range(2):
        for _ in range(4):
            assert (await try_password(quiet, "anna@example.com")).status == 401
        assert (await try_password(quiet, "anna@example.com", PASSWORD)).status == 200
    assert (await try_password(quiet, "bob@example.com", ip=network(1))).status == 401
    assert (await try_password(quiet, "bob@example.com", ip=network(1))).status == 429


class Nod(Factor):
    """A factor that everybody has; the answer is "yes"."""

    name = label = "nod"
    is_digits = False

    def __init__(self, world: World) -> None:
        self._world = world

    async def is_enrolled(self, reads: Reads, account_id: str) -> bool:
        return True

    async def listing(self, reads: Reads, account_id: str) -> list[Enrolled]:
        return []

    async def remove_all(self, change: Change, account_id: str) -> bool:
        return False

    async def prove(self, reads: Reads, account_id: str, answer: Secret, attempt_id: str) -> Proven | None:
        return Proven(Proof("otp", self._world.now(), self.name)) if answer.matches("yes") else None


@pytest.fixture
async def nodding(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine on each database in which a second factor is always asked for."""
    rib = Rib(name="nod", factors=lambda parts: (Nod(parts.world),))
    async with still(tmp_path, database=database_url, ribs=(*RIBS, rib)) as kit:
        await kit.signed_up("anna@example.com")
        yield kit


async def answer_factor(browser: Browser, code: str, password: str = PASSWORD) -> int:
    """Give the password, then a code; the status of the second step, or of the first if there is none."""
    first = await browser.post("/auth/login", json={"identifier": "anna@example.com", "password": password})
    if first.status_code != 200:
        return first.status_code
    body = {"attempt": first.json()["attempt"], "factor": "nod", "code": code}
    return (await browser.post("/auth/login/factor", json=body)).status_code


async def test_codes_count_and_the_password_resets_nothing(nodding: Kit) -> None:
    """Who knows the password has five tries at the code, however often the password is given in between."""
    seen = [await answer_factor(nodding.browser(network(n)), "no") for n in range(6)]
    assert seen == [401] * 5 + [429]
    nodding.clock.turn(timedelta(minutes=1))
    assert await answer_factor(nodding.browser(), "yes") == 200
    assert await answer_factor(nodding.browser(), "no") == 401, "only the completed sign-in cleared the count"
    assert (await try_password(nodding, "anna@example.com")).status == 401


async def test_passwords_and_codes_count_together(nodding: Kit) -> None:
    """Three wrong passwords and two wrong codes are five failures, also for a code sent along with the password."""
    for _ in range(3):
        await try_password(nodding, "anna@example.com")
    assert await answer_factor(nodding.browser(), "no") == 401
    along = {"identifier": "anna@example.com", "password": PASSWORD, "code": "no"}
    assert (await ask(nodding, "/auth/login", along)).status == 401
    assert (await try_password(nodding, "anna@example.com", PASSWORD)).status == 429


async def test_an_attempt_does_not_outrun_the_lock(nodding: Kit) -> None:
    """A code for an attempt begun before the lock is refused during it, right or wrong."""
    browser = nodding.browser()
    first = await browser.post("/auth/login", json={"identifier": "anna@example.com", "password": PASSWORD})
    for _ in range(5):
        await try_password(nodding, "anna@example.com", ip=network(1))
    body = {"attempt": first.json()["attempt"], "factor": "nod", "code": "yes"}
    assert (await browser.post("/auth/login/factor", json=body)).status_code == 429
