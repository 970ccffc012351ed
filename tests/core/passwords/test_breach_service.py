"""Asking a range service: a real one on loopback, in every temper."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from ostiary.core.outgoing.client import Outgoing
from ostiary.core.outgoing.reach import Reach
from ostiary.core.passwords.breaches.check import Breaches
from ostiary.core.passwords.breaches.service import RangeService
from ostiary.core.passwords.breaches.settings import BreachSettings
from ostiary.core.passwords.breaches.source import SourceFailed
from ostiary.kernel.errors import Misuse
from ostiary.kernel.events import Event
from ostiary.kernel.settings import Settings
from ostiary.kernel.world import World
from ostiary.protocols.breach_range import fingerprint
from ostiary.testing import TurnedClock
from tests.core.passwords.ring import unnoted
from tests.support.outside import Outside, Visit, outside

Behave = Callable[[Visit], Awaitable[None]]
BREACHED = fingerprint("password")
PADDING = "".join(f"{number:035X}:0\r\n" for number in range(800))


async def lists(visit: Visit) -> None:
    """Answer like the real service: many entries, padding among them."""
    prefix = visit.line.split()[1].removeprefix("/range/")
    rest = BREACHED[5:] if BREACHED.startswith(prefix) else "A" * 35
    await visit.answer(f"{'0' * 34}B:12\r\n{PADDING}{rest}:52256179\r\n{'F' * 35}:1".encode())


def service(
    server: Outside, clock: TurnedClock | None = None, patience: timedelta = timedelta(seconds=20)
) -> RangeService:
    return RangeService(
        World(clock=clock),
        Outgoing(Reach(loopback=True)),
        f"http://127.0.0.1:{server.port}/range/",
        patience,
    )


async def test_five_digits_go_out_and_the_answer_comes_back() -> None:
    """Nothing of the password but 20 bits of its fingerprint leaves the machine, and padding is asked for."""
    async with outside(lists) as server:
        asked = service(server)
        assert await asked.knows(BREACHED)
        assert not await asked.knows(fingerprint("unheard of"))
        assert not await asked.knows(BREACHED[:5] + f"{3:035X}"), "padding is no entry"
    first, second = server.visits
    assert first.line == "GET /range/5BAA6 HTTP/1.1"
    assert first.header("add-padding") == "true"
    assert first.body == b""
    for visit in (first, second):
        assert BREACHED[5:] not in visit.head.decode()
        assert fingerprint("unheard of")[5:] not in visit.head.decode()


async def test_answers_are_remembered_for_a_while() -> None:
    """The same prefix is asked once in five minutes; the memory holds 32 of them; failures are not remembered."""
    clock = TurnedClock()
    async with outside(lists) as server:
        asked = service(server, clock)
        for _ in range(3):
            assert await asked.knows(BREACHED)
        assert len(server.visits) == 1
        clock.turn(timedelta(minutes=5))
        assert await asked.knows(BREACHED)
        assert len(server.visits) == 2
        for number in range(32):
            await asked.knows(f"{number:05X}" + "0" * 35)
        assert len(server.visits) == 34
        await asked.knows("0001F" + "0" * 35)
        assert len(server.visits) == 34
        assert await asked.knows(BREACHED)
        assert len(server.visits) == 35


async def _stall(visit: Visit) -> None:
    await visit.stall()


async def _drip(visit: Visit) -> None:
    await visit.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await visit.write(b"0")
        await asyncio.sleep(0.02)


async def _endless(visit: Visit) -> None:
    await visit.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await visit.write(b"0" * 34 + b"B:1\r\n")


async def _hang_up(visit: Visit) -> None:
    visit.writer.transport.abort()


@pytest.mark.parametrize(
    ("behave", "why"),
    [
        (lambda visit: visit.answer(b"oops", status="500 Internal Server Error"), "status_500"),
        (lambda visit: visit.answer(b"slow down", status="429 Too Many Requests"), "status_429"),
        (lambda visit: visit.answer(b"", "location: http://127.0.0.1/", status="302 Found"), "status_302"),
        (lambda visit: visit.answer(b"<html>Please sign in to the Wi-Fi</html>"), "garbled"),
        (lambda visit: visit.answer(b""), "garbled"),
        (lambda visit: visit.answer(bytes(1000)), "garbled"),
        (lambda visit: visit.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"), "garbled"),
        (_hang_up, "garbled"),
        (_endless, "too_large"),
        (lambda visit: visit.answer(b"x" * 2_000_000), "too_large"),
        (_stall, "timeout"),
        (_drip, "timeout"),
    ],
)  # fmt: skip
async def test_a_service_that_fails_refuses_nobody(behave: Behave, why: str) -> None:
    """The password counts as unknown, and one event says why, with nothing of the password; the next call asks anew."""
    patience = timedelta(milliseconds=400) if why == "timeout" else timedelta(seconds=20)
    noted: list[Event] = []
    async with outside(behave) as server:
        breaches = Breaches(service(server, patience=patience))
        assert not await breaches.include("password", noted.append)
        assert not await breaches.include("password", noted.append)
        assert len(server.visits) == 2
    assert [(event.type.name, event.account_id, dict(event.data)) for event in noted] == [
        ("breach_check_failed", None, {"source": "range", "why": why})
    ] * 2


async def test_nobody_listens() -> None:
    """A closed port is told as such."""
    async with outside(lists) as server:
        asked = service(server)
    with pytest.raises(SourceFailed, match="unreachable"):
        await asked.knows(BREACHED)


async def test_off_asks_nobody() -> None:
    """The default: no source, no check, no call."""
    breaches = Breaches.of(BreachSettings(), World(), Outgoing(Reach()))
    breaches.check()
    assert not breaches.is_on
    assert not await breaches.include("password", unnoted)


async def test_what_cannot_be_written_is_not_looked_up() -> None:
    """A lone surrogate has no fingerprint; the password is refused by another rule."""
    async with outside(lists) as server:
        assert not await Breaches(service(server)).include("pass\ud800word", unnoted)
        assert server.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/range/",
        "https://127.0.0.1/range/",
        "https://10.0.0.1/range/",
        "https://api.example.com:8443/range/",
        "ftp://api.example.com/",
        "range/",
    ],
)
def test_urls_that_are_never_called_stop_the_start(url: str) -> None:
    """A check that could only ever fail open is the operator's mistake, and says so."""
    settings = BreachSettings(breached_passwords="range", breach_range_url=url)
    with pytest.raises(Misuse, match="breach_range_url"):
        Breaches.of(settings, World(), Outgoing(Reach())).check()


def test_the_usual_url_passes() -> None:
    """Its service need not be reachable at start."""
    Breaches.of(BreachSettings(breached_passwords="range"), World(), Outgoing(Reach())).check()


@pytest.mark.parametrize(
    "given",
    [
        {"breached_passwords": "yes"},
        {"breach_range_timeout": "0s"},
        {"breach_range_timeout": "1m"},
        {"breach_range_url": "https://api.example.com/range"},
    ],
)
def test_settings_that_do_not_fit(given: dict[str, object]) -> None:
    """Told at start, by name."""
    with pytest.raises(Misuse, match=next(iter(given))):
        Settings([BreachSettings], given)


def test_file_needs_a_file() -> None:
    """`file` alone says what is missing."""
    with pytest.raises(Misuse, match="breach_corpus_file: must be given"):
        Settings([BreachSettings], {"breached_passwords": "file"})
