"""What is unusual about a sign-in is judged at the one door, whatever the way in, and its owner hears why."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
import sqlalchemy as sa

from ostiary.core.journal.store import journal
from ostiary.features.alerts.flow import PAGE
from ostiary.storage.statement import Query
from ostiary.testing import Browser, Kit, running
from ostiary.testing.drivers import WAYS
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import StoppedClock, dump, login, session_rows
from tests.features.password.stage import NEW, reset, token_in
from tests.features.tokens.stage import code_of
from tests.features.totp.stage import enrolled
from tests.security.stage import drained
from tests.support.places import BERLIN, OSLO, atlas

ANNA = "anna@example.com"
HOME, ABROAD, EXIT = "192.0.2.10", "203.0.113.77", "198.51.100.66"
LAGOS = ("NG", 6.45, 3.39, "Lagos")
MOMENT = timedelta(milliseconds=10)  # ids of the journal are in order from one millisecond to the next
MOVING = ("throttle", "journal", "outbox", "once")
FOUND = Query(
    "test.suspicious",
    sa.select(journal.c.data).where(journal.c.type == "suspicious_login").order_by(journal.c.id),
    orjson.loads,
    scan=True,
)


def stage(folder: Path, database: str, **settings: Any) -> AbstractAsyncContextManager[Kit]:
    """An engine that knows where Lagos, Oslo and Berlin are, and an exit of Tor."""
    places = {"192.0.2.0/24": LAGOS, "203.0.113.0/24": OSLO, "2001:db8::/32": BERLIN, "198.51.100.0/24": OSLO}
    file = folder / "exits.txt"
    file.write_text(f"{EXIT}/32  # an exit\n")
    drivers = {name: value for way in WAYS.values() for name, value in way.settings.items()}
    given = {
        "geoip_file": atlas(folder / "places.mmdb", places),
        "risk_networks_file": file,
        **drivers,
        **settings,
    }
    return running(folder, database=database, clock=StoppedClock(), **given)


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """A running engine; Anna signed up and in in Lagos."""
    async with stage(tmp_path, database_url) as kit:
        await kit.signed_in(ANNA)
        yield kit


async def events(kit: Kit) -> list[dict[str, Any]]:
    """What `suspicious_login` said, in order."""
    return await kit.engine.core.database.all(FOUND)


def mails(kit: Kit, beginning: str) -> list[dict[str, Any]]:
    """Anna's mails whose subject begins so."""
    found = [mail for mail in kit.mailbox.messages() if mail["to"] == ANNA]
    return [mail for mail in found if mail["subject"].startswith(beginning)]


async def refused(kit: Kit, answer: httpx2.Response, browser: Browser) -> None:
    """Nobody was let in, and is told so."""
    assert (answer.status_code, code_of(answer)) == (403, "sign_in_suspicious"), answer.text
    assert (await browser.get("/auth/session")).status_code == 401


async def test_lagos_at_nine_and_oslo_at_nine_forty(kit: Kit) -> None:
    """With the password alone nobody is in both: refused, told and explained; a link by mail is the way in."""
    kit.clock.turn(timedelta(minutes=39, seconds=30))
    before, sessions = await dump(kit, without=MOVING), await session_rows(kit)
    traveller = kit.browser(ABROAD)
    for _ in range(2):  # a sign-in that was refused makes no place known
        kit.clock.turn(MOMENT)
        await refused(kit, await login(traveller, ANNA), traveller)
    await drained(kit)
    assert await dump(kit, without=MOVING) == before
    told = await events(kit)
    assert [(one["flags"], one["outcome"], one["session_id"]) for one in told] == [
        (["new_device", "new_country", "impossible_travel"], "refuse", ""),
    ] * 2
    sentence = "this one is from Oslo, NO: nobody travels 59"
    assert sentence in told[0]["reasons"][2]
    assert told[0]["reasons"][2].endswith(" km in 40 minutes.")
    (mail,) = mails(kit, "A sign-in to your ostiary account was stopped")
    assert sentence in " ".join(mail["text"].split())
    assert "https://auth.example.test/login/link/ask" in mail["links"]

    page = await kit.browser(ABROAD).post(
        "/login", data={"identifier": ANNA, "password": PASSWORD},
        headers={"origin": "https://auth.example.test"},
    )  # fmt: skip
    assert (page.status_code, "mail that says how to go on" in page.text) == (403, True)

    kit.clock.turn(MOMENT)
    link = WAYS["magic_link"]
    answer = await link.enter(traveller, ANNA, await link.prepare(kit, traveller, ANNA))
    assert answer.json()["status"] == "complete"
    assert (await events(kit))[-1]["outcome"] == "ask"
    activity = (await traveller.get("/account/activity")).text
    assert sentence in activity
    assert len(await session_rows(kit)) == len(sessions) + 1
    # Now Oslo is where Anna was last, from where she is known.
    assert (await login(kit.browser(ABROAD), ANNA)).json()["status"] == "complete"
    flags = [one["flags"] for one in await events(kit)]
    assert len(flags) == 4, "the page's, the link's, and nothing unusual about the last one"


async def test_the_latest_of_many_visits_counts(database_url: str, tmp_path: Path) -> None:
    """However many sessions are open, a journey begins where the owner was last."""
    async with stage(tmp_path, database_url, sessions_per_account=50) as kit:
        await kit.signed_in(ANNA)
        for ip, later in [(HOME, timedelta(minutes=1))] * 21 + [(ABROAD, timedelta(hours=8))]:
            kit.clock.turn(later)
            assert (await login(kit.browser(ip), ANNA)).json()["status"] == "complete"
        kit.clock.turn(timedelta(minutes=10))
        back = kit.browser(HOME)
        await refused(kit, await login(back, ANNA), back)


async def test_slow_enough(kit: Kit) -> None:
    """Who flies to Oslo signs in there with the password; the new country is told, and that is all."""
    kit.clock.turn(timedelta(hours=8))
    assert (await login(kit.browser(ABROAD), ANNA)).json()["status"] == "complete"
    await drained(kit)
    (event,) = await events(kit)
    assert (event["flags"], event["outcome"]) == (["new_device", "new_country"], "notify")
    assert len(mails(kit, "An unusual sign-in")) == 1
    assert mails(kit, "A sign-in to") == []


async def test_whoever_says_it_was_not_me(kit: Kit) -> None:
    """The mail about a sign-in that was stopped carries the same link; what was known before counts no more then."""
    kit.clock.turn(timedelta(minutes=40))
    thief = kit.browser(ABROAD)
    await refused(kit, await login(thief, ANNA), thief)
    await drained(kit)
    (mail,) = mails(kit, "A sign-in to")
    owner = kit.browser("2001:db8::7")
    (link,) = [link for link in mail["links"] if PAGE in link]
    assert "tried to sign in" in (await owner.get(link.partition("test")[2], follow_redirects=True)).text
    assert (await owner.post("/auth/not-me", json={"token": token_in(mail)})).status_code == 200
    await drained(kit)
    assert code_of(await login(thief, ANNA)) == "invalid_credentials"
    resets = [one for one in kit.mailbox.messages() if "reset?token" in one["text"]]
    assert (await reset(kit, token_in(resets[-1]))).status_code == 200
    kit.clock.turn(timedelta(days=2))
    # Lagos is no place that anybody is known from, so nobody has travelled.
    assert (await login(owner, ANNA, NEW)).json()["status"] == "complete"
    assert (await events(kit))[-1]["flags"] == ["new_device"]


async def test_a_factor_is_asked_for(kit: Kit) -> None:
    """Who has a second factor shows it and is in; a wrong one changes nothing, and one sign-in is one mail."""
    app = await enrolled(kit, await kit.sign_in(ANNA))
    kit.clock.turn(timedelta(minutes=5))
    await drained(kit)
    browser, sent = kit.browser(ABROAD), len(mails(kit, ""))
    asked = (await login(browser, ANNA)).json()
    assert asked["status"] == "factor_required"
    assert await events(kit) == []
    given = {"attempt": asked["attempt"], "factor": "totp"}
    wrong = await browser.post("/auth/login/factor", json={**given, "code": app.wrong()})
    assert code_of(wrong) == "invalid_credentials"
    right = await browser.post("/auth/login/factor", json={**given, "code": app.fresh_code()})
    assert right.json()["session"]["acr"] == "2"
    await drained(kit)
    (event,) = await events(kit)
    assert (event["outcome"], event["method"]) == ("ask", "totp")
    assert event["session_id"] == right.json()["session"]["id"]
    assert len(mails(kit, "")) == sent + 1


async def test_nobody_enrols_past_it(database_url: str, tmp_path: Path) -> None:
    """While a factor is required of an account without one, an intruder is refused, and not asked to add his own."""
    async with stage(tmp_path, database_url, require_factor="everybody", factor_grace=timedelta()) as kit:
        await kit.signed_up(ANNA)
        home, thief = kit.browser(HOME), kit.browser(EXIT)
        assert (await login(home, ANNA)).json()["status"] == "enrolment_required"
        await refused(kit, await login(thief, ANNA), thief)
        # begun at home, and gone on with from an exit
        program = {"delivery": "tokens"}
        attempt = (await login(home, ANNA, **program)).json()["attempt"]
        asked = {"attempt": attempt, "factor": "totp", **program}
        assert code_of(await thief.post("/auth/login/enrol", json=asked)) == "enrolment_refused"
        assert (await home.post("/auth/login/enrol", json=asked)).status_code == 200
        assert await session_rows(kit) == []


@pytest.mark.parametrize("policy", ["allow", "notify", "ask", "refuse"])
async def test_every_policy_and_every_way_in(database_url: str, tmp_path: Path, policy: str) -> None:
    """From a listed network: let in, let in and told, in with two factors or a mailbox, and nobody; by every way."""
    async with stage(tmp_path, database_url, risk_listed_network=policy) as kit:
        for number, way in enumerate(WAYS.values()):
            # How a session is handed out makes no difference; looked at where something is refused.
            for delivery in way.deliveries if policy in {"ask", "refuse"} else way.deliveries[:1]:
                address = f"{way.name.replace('_', '-')}-{number}-{delivery}@example.com"
                await kit.signed_in(address)
                count = len(await events(kit))
                browser = kit.browser(EXIT)
                kit.clock.turn(MOMENT)
                prepared = await way.prepare(kit, browser, address, delivery)
                answer = await way.enter(browser, address, prepared, delivery)
                told = answer.json()
                enough = policy in {"allow", "notify"} or (
                    policy == "ask" and (way.proves_mailbox or way.is_multi_factor)
                )
                if enough:
                    assert told["status"] == "complete", (way.name, told)
                else:
                    await refused(kit, answer, browser)
                (event,) = (await events(kit))[count:]
                assert event["outcome"] == (policy if enough else "refuse") if policy != "allow" else True
                assert "listed_network" in event["flags"]
                assert EXIT in " ".join(event["reasons"])
        await drained(kit)
        ips = [mail for mail in kit.mailbox.messages() if "wary of" in mail["text"]]
        assert bool(ips) or policy == "allow"


async def test_two_continents_at_once(kit: Kit) -> None:
    """Sign-ins of one account are judged one after the other, so of two at one moment one sees the other's place."""
    kit.clock.turn(timedelta(hours=8))
    browsers = [kit.browser("2001:db8::7"), kit.browser("2001:db8::8"), kit.browser(HOME)]
    answers = await asyncio.gather(*(login(browser, ANNA) for browser in browsers))
    done = sorted(str(answer.json()["status"]) for answer in answers)
    # Whoever is first is at home there, and it is the others who cannot have come so fast.
    assert done in (["403", "403", "complete"], ["403", "complete", "complete"])


async def test_failures_before_a_success(database_url: str, tmp_path: Path) -> None:
    """Five wrong passwords and then the right one are told, also when the right one took two steps."""
    async with stage(tmp_path, database_url, lock_after=50, delay_after=50) as kit:
        await kit.signed_up(ANNA)
        for _ in range(5):
            assert (await login(kit.browser(), ANNA, "wrong")).status_code == 401
        assert (await login(kit.browser(), ANNA)).json()["status"] == "complete"
        (event,) = await events(kit)
        assert (event["flags"], event["reasons"]) == (
            ["many_failures"],
            ["5 tries in a row before it failed."],
        )
        assert (await login(kit.browser(), ANNA)).status_code == 200
        assert len(await events(kit)) == 1, "the success made an end of them"


async def test_in_german_and_once_a_day(kit: Kit) -> None:
    """The reasons are in the language of the owner; the same from the same place is no news on the same day."""
    given = {"email": "berta@example.com", "password": PASSWORD}
    berta = kit.browser(headers={"accept-language": "de"})
    (await berta.post("/auth/register", json=given)).raise_for_status()
    token, _ = await kit.verification("berta@example.com")
    (await berta.post("/auth/email/verify", json={"token": token})).raise_for_status()
    (await login(berta, "berta@example.com")).raise_for_status()
    kit.clock.turn(timedelta(minutes=40))
    for _ in range(3):
        assert (await login(kit.browser(ABROAD), "berta@example.com")).status_code == 403
    await drained(kit)
    found = [mail for mail in kit.mailbox.messages() if "angehalten" in mail["subject"]]
    assert [(mail["to"], mail["language"]) for mail in found] == [("berta@example.com", "de")]
    assert "diese kommt aus Oslo, NO" in " ".join(found[0]["text"].split())
