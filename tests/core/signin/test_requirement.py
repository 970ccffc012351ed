"""A second factor that is required: of whom, from when on, and how somebody without one gets in all the same (C8)."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pyotp
import pytest

from ostiary.core.access import access
from ostiary.core.accounts.accounts import Status
from ostiary.engine.features import RIBS
from ostiary.kernel.errors import Misuse
from ostiary.kernel.world import World
from ostiary.testing import Browser, Kit, running
from tests.core.signin.stage import (
    MOMENT,
    RACING,
    StoppedClock,
    account_id,
    answer,
    changed,
    dump,
    journalled,
    login,
    session_rows,
    set_status,
)
from tests.features.totp.stage import begun, confirm, enrolled
from tests.support.secrets import nothing_leaks

ANNA, BOB = "anna@example.com", "bob@example.com"
GRACE = timedelta(days=7)
AT_ONCE: dict[str, Any] = {"require_factor": "everybody", "factor_grace": "0s"}
# What a refusal may change: counters, the journal, and the way of mails.
MOVING = ("session", "outbox", "once", "throttle", "journal")
Open = Callable[..., AbstractAsyncContextManager[Kit]]


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Open:
    """Opens an engine on this database with some settings; several may follow one another, and keep one clock."""
    clock = StoppedClock()
    secret = base64.urlsafe_b64encode(World().bytes(32)).decode()

    @asynccontextmanager
    async def open_(**settings: Any) -> AsyncIterator[Kit]:
        async with running(
            tmp_path, database=database_url, clock=clock, root_secret=secret, **settings
        ) as kit:
            with nothing_leaks(kit):
                yield kit

    return open_


async def lacks(kit: Kit, browser: Browser, address: str = ANNA) -> str:
    """A sign-in that cannot go on without a factor; no session cookie came with it."""
    answered = await login(browser, address)
    told = answered.json()
    assert (answered.status_code, told["status"]) == (200, "enrolment_required")
    assert told["factors"] == ["passkey", "totp"]
    assert kit.engine.app.edge.cookies.session not in browser.cookies
    attempt: str = told["attempt"]
    return attempt


async def begin(browser: Browser, attempt: str, factor: str = "totp") -> httpx2.Response:
    """Begin to add a factor at the door."""
    return await browser.post("/auth/login/enrol", json={"attempt": attempt, "factor": factor})


async def app_of(kit: Kit, browser: Browser, attempt: str) -> tuple[str, Callable[[], str]]:
    """An app that has read the QR code: the attempt to go on with, and what it shows now."""
    shown = (await begin(browser, attempt)).json()
    read = pyotp.parse_uri(shown["uri"])
    assert isinstance(read, pyotp.TOTP)
    assert (read.secret, read.name) == (shown["secret"], ANNA)
    assert shown["qr_svg"].startswith("<svg")
    return shown["attempt"], lambda: read.at(kit.clock.now())


async def test_everybody_at_once(opened: Open) -> None:
    """Without a grace nobody gets in with one step; who adds a factor at the door is in at once, with both in `amr`."""
    async with opened(**AT_ONCE) as kit:
        await kit.signed_up(ANNA)
        browser = kit.browser()
        attempt, code = await app_of(kit, browser, await lacks(kit, browser))
        assert await session_rows(kit) == []
        assert (await dump(kit))["totp"] == [], "nothing is stored before a code was right"

        done = await answer(browser, attempt, code(), "totp")
        assert (done.status_code, done.json()["status"]) == (200, "complete")
        assert (done.json()["session"]["amr"], done.json()["session"]["acr"]) == (["pwd", "otp", "mfa"], "2")
        assert (await browser.get("/auth/session")).status_code == 200
        codes = done.json()["backup_codes"]
        assert len(set(codes)) == 10
        told = (await browser.get("/auth/mfa")).json()
        assert (told["required"], told["missing_from"]) == (True, None)
        assert [one["factor"] for one in told["factors"]] == ["totp", "backup_code"]
        journal = await journalled(kit)
        assert journal.count("sign_in_enrolment_asked") == 1
        assert journal.count("factor_added") == 1
        assert (await kit.mail_to(ANNA, count=2))["subject"].startswith("A second step was added")

        spent = kit.browser()
        waits = (await login(spent, ANNA)).json()
        assert waits["status"] == "factor_required"
        assert (await answer(spent, waits["attempt"], code(), "totp")).status_code == 401, "the code is spent"
        kit.clock.turn(timedelta(minutes=1))
        assert (await answer(spent, waits["attempt"], code(), "totp")).status_code == 200


async def test_the_grace(opened: Open) -> None:
    """It begins with the first sign-in that it concerns, is told, and ends to the microsecond, sessions with it."""
    async with opened() as kit:
        await kit.signed_in(ANNA)
        kit.clock.turn(timedelta(days=100))
    async with opened(require_factor="everybody") as kit:
        ends = kit.clock.now() + GRACE
        assert (await kit.sign_in(ANNA)) is not None
        kit.clock.turn(timedelta(days=6))
        late = kit.browser()
        told = (await login(late, ANNA, remember=True)).json()
        assert told["status"] == "complete"
        assert datetime.fromisoformat(told["session"]["expires_at"]) == ends
        assert (await journalled(kit)).count("factor_required") == 1
        page = (await late.get("/account")).text
        assert "Add a second step by" in page
        assert '<a href="/account/factors">Add it now</a>' in page
        told = (await late.get("/auth/mfa")).json()
        assert (told["enabled"], told["required"]) == (False, True)
        assert datetime.fromisoformat(told["missing_from"]) == ends

        kit.clock.turn(timedelta(days=1) - MOMENT)
        assert (await late.get("/auth/session")).status_code == 200
        assert (await login(kit.browser(), ANNA)).json()["status"] == "complete"
        kit.clock.turn(MOMENT)
        assert (await late.get("/auth/session")).json()["code"] == "session_ended"
        await lacks(kit, kit.browser())


async def test_who_adds_one_in_time_hears_no_more(opened: Open) -> None:
    """In the grace a factor is added as ever; then nothing is missing, now or later, and the notice is gone."""
    async with opened(require_factor="everybody") as kit:
        browser = await kit.signed_in(ANNA)
        assert "Add a second step by" in (await browser.get("/account")).text
        app = await enrolled(kit, browser)
        assert "Add a second step by" not in (await browser.get("/account")).text
        kit.clock.turn(2 * GRACE)
        again = kit.browser()
        waits = (await login(again, ANNA)).json()
        assert waits["status"] == "factor_required"
        assert (await answer(again, waits["attempt"], app.code(), "totp")).json()["session"]["acr"] == "2"


async def test_roles(opened: Open) -> None:
    """Only who holds a role is concerned, from the first sign-in with it; losing interest in it frees them again."""
    async with opened(require_factor="roles", factor_grace="1d") as kit:
        await kit.signed_up(ANNA)
        await kit.signed_in(BOB)
        anna = await account_id(kit, ANNA)
        assert (await login(kit.browser(), ANNA)).json()["status"] == "complete"
        await changed(kit, lambda change: access.grant(change, anna, "admin", "test"))
        kit.clock.turn(timedelta(days=30))
        assert (await login(kit.browser(), ANNA)).json()["status"] == "complete", "the grace has just begun"
        kit.clock.turn(timedelta(days=1))
        await lacks(kit, kit.browser())
        assert (await login(kit.browser(), BOB)).json()["status"] == "complete"
    async with opened(require_factor="roles", factor_grace="1d", require_factor_roles=("editor",)) as kit:
        assert (await login(kit.browser(), ANNA)).json()["status"] == "complete"


async def test_the_last_one_stays(opened: Open) -> None:
    """Where a factor is required, in the grace too, the last one cannot be removed; one of two can."""
    for settings in ({"require_factor": "everybody"}, {"require_factor": "roles"}):
        address = f"{settings['require_factor']}@example.com"
        async with opened(**settings) as kit:
            await kit.signed_up(address)
            anna = await account_id(kit, address)
            await changed(kit, lambda change, anna=anna: access.grant(change, anna, "superadmin", "test"))  # type: ignore[misc]
            browser = await kit.sign_in(address)
            first, second = await enrolled(kit, browser), await enrolled(kit, browser)
            assert (await browser.delete(f"/auth/mfa/totp/{first.id}")).status_code == 204
            before = await dump(kit, without=MOVING)
            refused = await browser.delete(f"/auth/mfa/totp/{second.id}")
            assert (refused.status_code, refused.json()["code"]) == (409, "factor_needed")
            assert await dump(kit, without=MOVING) == before


async def test_a_reset_gives_no_new_grace(opened: Open) -> None:
    """An operator takes a lost factor away; the next sign-in adds another one at the door before anything opens."""
    async with opened(require_factor="everybody") as kit:
        await enrolled(kit, await kit.signed_in(ANNA))
        kit.clock.turn(2 * GRACE)
        anna = await account_id(kit, ANNA)
        assert await changed(kit, lambda change: kit.engine.core.factors.reset(change, anna)) == (
            "totp",
            "backup_code",
        )
        browser = kit.browser()
        attempt, code = await app_of(kit, browser, await lacks(kit, browser))
        assert (await answer(browser, attempt, code(), "totp")).json()["status"] == "complete"


async def test_only_who_has_none_adds_one_at_the_door(opened: Open) -> None:
    """Beside an enrolled factor none is begun, and none that was begun before is finished: nothing changes."""
    async with opened(require_factor="everybody") as kit:
        owner = await kit.signed_in(ANNA)
        kit.clock.turn(GRACE - timedelta(minutes=1))
        owner = await kit.sign_in(ANNA)
        pending = await begun(kit, owner)
        kit.clock.turn(timedelta(seconds=59))
        kit.clock.turn(timedelta(seconds=1) - MOMENT)
        (await confirm(owner, pending)).raise_for_status()
        stranger = kit.browser("198.51.100.7")
        waits = (await login(stranger, ANNA)).json()
        assert waits["status"] == "factor_required"
        before = await dump(kit, without=MOVING)
        refused = await begin(stranger, waits["attempt"])
        assert (refused.status_code, refused.json()["code"]) == (409, "enrolment_refused")
        assert await dump(kit, without=MOVING) == before


async def test_two_strangers_race(opened: Open) -> None:
    """Two sign-ins add a factor each; the first code that is right counts, and the other opens nothing."""
    async with opened(**AT_ONCE, **RACING) as kit:
        await kit.signed_up(ANNA)
        one, other = kit.browser(), kit.browser("198.51.100.7")
        first, first_code = await app_of(kit, one, await lacks(kit, one))
        second, second_code = await app_of(kit, other, await lacks(kit, other))
        assert (await answer(one, first, first_code(), "totp")).status_code == 200
        before = await dump(kit, without=MOVING)
        # Judged by the factor that is enrolled now, for which the other app's code is wrong.
        assert (await answer(other, second, second_code(), "totp")).json()["code"] == "invalid_credentials"
        assert await dump(kit, without=MOVING) == before
        assert len(await session_rows(kit)) == 1


async def test_fifty_at_once_make_one_session(opened: Open) -> None:
    """One right code, sent fifty times at the same moment: one app, one session."""
    async with opened(**AT_ONCE, **RACING, factor_failures_per_network="1000/m") as kit:
        await kit.signed_up(ANNA)
        browser = kit.browser()
        attempt, code = await app_of(kit, browser, await lacks(kit, browser))
        cookies = dict(browser.cookies)
        racers = [kit.browser(cookies=cookies) for _ in range(50)]
        answered = await asyncio.gather(*(answer(one, attempt, code(), "totp") for one in racers))
        assert [one.status_code for one in answered].count(200) == 1
        assert {one.status_code for one in answered} <= {200, 401, 409, 429, 503}
        assert len(await session_rows(kit)) == 1
        assert len((await dump(kit))["totp"]) == 1


async def test_without_a_factor_to_add_it_does_not_start(tmp_path: Path) -> None:
    """A requirement that nobody could fulfil is the operator's mistake, said at the start."""
    ribs = [rib for rib in RIBS if rib.name not in {"totp", "passkeys"}]
    with pytest.raises(Misuse, match="require_factor"):
        async with running(tmp_path, ribs=ribs, require_factor="everybody"):
            pass
    with pytest.raises(Misuse, match="require_factor_roles"):
        async with running(tmp_path, require_factor="roles", require_factor_roles=()):
            pass


async def test_an_attempt_ends_with_what_it_is_bound_to(opened: Open) -> None:
    """Another browser, a raised epoch, ten minutes: nothing is begun or finished, nothing changes (L02)."""
    async with opened(**AT_ONCE) as kit:
        await kit.signed_up(ANNA)
        anna = await account_id(kit, ANNA)
        browser, thief = kit.browser(), kit.browser("198.51.100.7")
        waiting = await lacks(kit, browser)
        attempt, code = await app_of(kit, browser, waiting)
        before = await dump(kit, without=MOVING)
        for sealed in (waiting, attempt, "nonsense"):
            stolen = (await begin(thief, sealed), await answer(thief, sealed, code(), "totp"))
            assert [one.json()["code"] for one in stolen] == ["attempt_invalid"] * 2
        for wrong in ("", "000000" if code() != "000000" else "111111", code() + "1"):
            refused = await answer(browser, attempt, wrong, "totp")
            assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
        plain = await answer(browser, waiting, code(), "totp")
        assert plain.json()["code"] == "invalid_credentials", "the code belongs to the attempt that drew it"
        assert (await begin(browser, waiting, "backup_code")).json()["code"] == "enrolment_refused"
        assert (await begin(browser, waiting, "nonsense")).json()["code"] == "enrolment_refused"
        assert await dump(kit, without=MOVING) == before

        await set_status(kit, anna, Status.ACTIVE)
        assert (await begin(browser, waiting)).json()["code"] == "invalid_credentials"
        assert (await answer(browser, attempt, code(), "totp")).json()["code"] == "invalid_credentials"
        kit.clock.turn(timedelta(minutes=10))
        assert (await answer(browser, attempt, code(), "totp")).json()["code"] == "attempt_invalid"
        assert await session_rows(kit) == []


async def test_beginning_again_and_again_is_bounded(opened: Open) -> None:
    """Drawing costs work, so an account's sign-ins may ask for it only so often."""
    async with opened(**AT_ONCE, door_enrolments_per_account="3/h") as kit:
        await kit.signed_up(ANNA)
        browser = kit.browser()
        waiting = await lacks(kit, browser)
        answers = [(await begin(browser, waiting)).status_code for _ in range(4)]
        assert answers == [200, 200, 200, 429]
