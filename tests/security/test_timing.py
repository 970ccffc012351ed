"""Known and unknown addresses take equally long: paired, interleaved timings, compared as distributions."""

import random
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.security.samples import chance_gap, largest_gap, median_difference
from tests.security.stage import WRONG, drained

PAIRS = 240
WARM = 20
PLENTY: dict[str, Any] = {
    "signin_failures_per_network": "100000/15m",
    "register_per_network": "100000/1h",
    "resend_per_network": "100000/1h",
    "reset_per_network": "100000/1h",
    "new_email_mails_per_network": "100000/1h",
    "new_email_mails_per_account": "100000/1h",
}

Probe = tuple[str, Callable[[str], dict[str, Any]]]
SIGN_IN: Probe = ("/auth/login", lambda address: {"identifier": address, "password": WRONG})
REGISTER: Probe = ("/auth/register", lambda address: {"email": address, "password": PASSWORD})
RESEND: Probe = ("/auth/email/resend", lambda address: {"email": address})
FORGOT: Probe = ("/auth/password/forgot", lambda address: {"email": address})
ADD: Probe = ("/auth/emails", lambda address: {"email": address})


def test_the_comparison_can_tell() -> None:
    """A shift by one standard deviation is found; two samples of one distribution are taken for equal."""
    chance = random.Random(1)
    one, same = ([chance.gauss(10, 1) for _ in range(PAIRS)] for _ in range(2))
    low, high = median_difference(one, same)
    assert low < 0 < high
    assert largest_gap(one, same) < chance_gap(PAIRS, PAIRS)
    shifted = [value + 1 for value in one]
    assert median_difference(shifted, same)[0] > 0.5
    assert largest_gap(shifted, same) > chance_gap(PAIRS, PAIRS)


async def populate(kit: Kit, count: int, *, proven: bool) -> None:
    """Register addresses, and prove them or not; then let what was counted for it leave the windows."""
    browser = kit.browser()
    for number in range(count):
        address = f"known{number:04}@example.com"
        (await browser.post(REGISTER[0], json=REGISTER[1](address))).raise_for_status()
        if proven:
            token, _ = await kit.verification(address)
            (await browser.post("/auth/email/verify", json={"token": token})).raise_for_status()
    await drained(kit)
    kit.clock.turn(timedelta(hours=2))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("probe", "proven"),
    [
        (SIGN_IN, True),
        (SIGN_IN, False),
        (REGISTER, True),
        (REGISTER, False),
        (RESEND, True),
        (RESEND, False),
        (FORGOT, True),
        (FORGOT, False),
        (ADD, True),
        (ADD, False),
    ],
    ids=[
        "sign-in-proven",
        "sign-in-unproven",
        "register-proven",
        "register-unproven",
        "resend-proven",
        "resend-unproven",
        "forgot-proven",
        "forgot-unproven",
        "add-proven",
        "add-unproven",
    ],
)
async def test_known_and_unknown_take_equally_long(
    database_url: str, tmp_path: Path, probe: Probe, proven: bool
) -> None:
    """At real costs the medians differ by at most a twentieth (or 0.2 ms), and the distributions look alike."""
    path, body = probe
    async with running(tmp_path, database=database_url, scheme=None, **PLENTY) as kit:
        await populate(kit, PAIRS + WARM, proven=proven)
        browser = await kit.signed_in("somebody@example.com") if probe is ADD else kit.browser()
        await drained(kit)
        chance = random.Random(11)
        taken: dict[str, list[float]] = {"known": [], "nobody": []}
        for number in range(PAIRS + WARM):
            for kind in chance.sample(["known", "nobody"], 2):
                content = body(f"{kind[:5]}{number:04}@example.com")
                begun = time.perf_counter()
                answer = await browser.post(path, json=content)
                taken[kind].append(time.perf_counter() - begun)
                assert answer.status_code in {401, 202}
                if probe is ADD:  # there is room for a few only
                    (await browser.delete(f"{path}/{answer.json()['id']}")).raise_for_status()
                # The worker's turn: the mail that this one brought must not delay the next one.
                await kit.clock.sleep(timedelta(milliseconds=5))
                await drained(kit)
        known, unknown = taken["known"][WARM:], taken["nobody"][WARM:]
        low, high = median_difference(known, unknown)
        allowed = max(0.0002, median(unknown) / 20)
        told = f"difference {low * 1000:.3f} to {high * 1000:.3f} ms of {median(unknown) * 1000:.3f} ms"
        assert low < allowed, told
        assert high > -allowed, told
        assert largest_gap(known, unknown) < chance_gap(PAIRS, PAIRS), told
