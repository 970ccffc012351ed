"""L01: whatever way in is used, nothing that grants anything exists before the door says complete."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pyotp
import pytest
from fastapi.routing import APIRoute

from ostiary.engine.features import RIBS
from ostiary.http.access import SESSION
from ostiary.testing import Browser, Kit, running
from ostiary.testing.drivers import WAYS as SHIPPED
from ostiary.testing.drivers import WayDriver
from tests.core.signin.stage import account_id, answer, journalled, login, session_rows
from tests.support.ribs import KNOCK, KnockDriver, WordOfTheDay

WAYS: dict[str, WayDriver] = {**SHIPPED, "knock": KnockDriver()}
ANNA = "anna@example.com"


@pytest.fixture
def day() -> WordOfTheDay:
    """A second factor."""
    return WordOfTheDay()


@pytest.fixture
async def kit(database_url: str, tmp_path: Path, day: WordOfTheDay) -> AsyncIterator[Kit]:
    """An engine with one more factor and one more way in, and an account that has the factor."""
    async with running(tmp_path, database=database_url, ribs=(*RIBS, day.rib, KNOCK)) as kit:
        await kit.signed_up(ANNA)
        day.words[await account_id(kit, ANNA)] = "heron"
        yield kit


def guarded() -> list[tuple[str, str]]:
    """Every route that wants a session."""
    found = [
        (method, hot.path.replace("{session_id}", "0" * 26))
        for rib in RIBS
        for hot in rib.hot_routes
        for method in hot.methods
        if hot.access is SESSION
    ]
    for rib in RIBS:
        for routes in rib.json_routes:
            for route in routes.router.routes if routes.access is SESSION else ():
                assert isinstance(route, APIRoute)
                found += [
                    (method, route.path.replace("{session_id}", "0" * 26)) for method in route.methods or ()
                ]
    return found


def given_session(kit: Kit, answered: httpx2.Response) -> bool:
    """Whether an answer hands out a session cookie."""
    name = kit.engine.app.edge.cookies.session
    return any(line.startswith(f"{name}=") for line in answered.headers.get_list("set-cookie"))


def is_refused(answered: httpx2.Response) -> bool:
    """Whether somebody was told to sign in: 401, or for pages the way to the form."""
    to_form = answered.status_code == 303 and answered.headers["location"].startswith("/login")
    return answered.status_code == 401 or to_form


async def assert_grants_nothing(kit: Kit, browser: Browser, attempt: str) -> None:
    """No guarded route takes the attempt or the pre-session cookie, in whatever clothes."""
    cookies = kit.engine.app.edge.cookies
    pre = browser.cookies[cookies.pre]
    for method, path in guarded():
        assert is_refused(await browser.request(method, path))
        bearer = {"authorization": f"Bearer {attempt}"}
        assert is_refused(await browser.request(method, path, headers=bearer))
        for value in (attempt, pre, f"{'0' * 26}.{pre}"):
            dressed = {"cookie": f"{cookies.session}={value}"}
            assert is_refused(await kit.browser().request(method, path, headers=dressed))


async def test_nothing_exists_before_complete(kit: Kit, day: WordOfTheDay) -> None:
    """No row, no cookie, no event and no access before the second factor, by any way in."""
    assert set(WAYS) == kit.engine.core.door.ways
    # Whatever shows two factors at once is asked for no other: that it opens at once is `test_every_way_and_factor`'s.
    for done, way in enumerate(way for way in WAYS.values() if not way.is_multi_factor):
        browser = kit.browser()
        day.words = dict.fromkeys(day.words, f"heron {done}")
        waits = await way.enter(browser, ANNA, await way.prepare(kit, browser, ANNA))
        assert waits.json()["status"] == "factor_required"
        assert waits.json()["factors"] == ["word"]
        attempt = waits.json()["attempt"]
        await assert_grants_nothing(kit, browser, attempt)
        along = await login(browser, ANNA, code="no")
        wrong = await answer(browser, attempt, "stork")
        assert (along.status_code, wrong.status_code) == (401, 401)
        assert not any(given_session(kit, one) for one in (waits, along, wrong))
        assert len(await session_rows(kit)) == done
        for event in ("session_created", "sign_in_succeeded"):
            assert (await journalled(kit)).count(event) == done

        right = await answer(browser, attempt, f"heron {done}")
        assert right.json()["status"] == "complete"
        assert given_session(kit, right)
        assert len(await session_rows(kit)) == done + 1
        assert (await browser.get("/auth/session")).status_code == 200


async def test_nothing_exists_before_a_factor_that_is_needed_is_added(
    database_url: str, tmp_path: Path
) -> None:
    """Neither the attempt, before or after beginning, nor the drawn secret opens anything; the right code does."""
    needed = {"require_factor": "everybody", "factor_grace": "0s"}
    async with running(tmp_path, database=database_url, ribs=(*RIBS, KNOCK), **needed) as kit:  # type: ignore[arg-type]
        await kit.signed_up(ANNA)
        browser = kit.browser()
        lacks = await login(browser, ANNA)
        assert lacks.json()["status"] == "enrolment_required"
        await assert_grants_nothing(kit, browser, lacks.json()["attempt"])
        shown = await browser.post(
            "/auth/login/enrol", json={"attempt": lacks.json()["attempt"], "factor": "totp"}
        )
        attempt, secret = shown.json()["attempt"], shown.json()["secret"]
        await assert_grants_nothing(kit, browser, attempt)
        wrong = await answer(browser, attempt, secret[:6], "totp")
        assert wrong.status_code == 401
        assert not any(given_session(kit, one) for one in (lacks, shown, wrong))
        assert await session_rows(kit) == []
        assert not {"session_created", "sign_in_succeeded", "factor_added"} & set(await journalled(kit))

        code = pyotp.TOTP(secret).at(kit.clock.now())
        right = await answer(browser, attempt, code, "totp")
        assert right.json()["status"] == "complete"
        assert given_session(kit, right)
        assert len(await session_rows(kit)) == 1


def test_guarded_routes_are_found() -> None:
    """The list that the attempt is held against is not empty by mistake."""
    assert {("GET", "/auth/session"), ("GET", "/auth/sessions")} <= set(guarded())
    assert len(guarded()) >= 4
