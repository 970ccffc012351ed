"""Every way in, with every state of second factors, in every state of the account: what is asked, and what opens.

The lists come from the engine's ribs. Whoever adds a way in or a factor fails here until its driver is there
(`ostiary.testing.drivers`), and is covered then without being named.
"""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ostiary.core.accounts.accounts import Status
from ostiary.core.tokens.settings import COOKIE, TOKENS, Delivery
from ostiary.engine.features import RIBS
from ostiary.features.signin import flow as signin
from ostiary.features.trusted_devices.store import END_ALL
from ostiary.http.rib import Rib
from ostiary.kernel.world import World
from ostiary.testing import Browser, Kit, running
from ostiary.testing.drivers import FACTORS, WAYS, FactorDriver, WayDriver
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import account_id, changed, session_rows, set_status
from tests.features.trusted_devices.stage import planted
from tests.support.ribs import KNOCK, KnockDriver

# One more way in than ships shows that nothing below knows those that do.
DRIVERS: dict[str, WayDriver] = {**WAYS, "knock": KnockDriver()}
NAMES = sorted(way for rib in (*RIBS, KNOCK) for way in rib.ways)
DOORS = [(name, delivery) for name in NAMES if name in DRIVERS for delivery in DRIVERS[name].deliveries]
LOCK_AFTER = 8
SOON = timedelta(seconds=4)  # longer than a process remembers that it refused
EACH: list[WayDriver | FactorDriver] = [*DRIVERS.values(), *FACTORS.values()]
SETTINGS: dict[str, Any] = {
    **{name: value for one in EACH for name, value in one.settings.items()},
    "lock_after": LOCK_AFTER,
    "first_lock": "1h",  # longer than an app is waited for
    "delay_after": 1000,
    "rate_limit_allow": ("192.0.2.0/24",),
}


@dataclass
class Person:
    """Somebody with an account.

    Attributes:
        held: What they have at hand, by the name of the factor.
    """

    address: str
    held: dict[str, Any] = field(default_factory=dict)


class Stage:
    """An engine, one of its ways in, and how sessions are to be handed out."""

    def __init__(self, kit: Kit, way: str, delivery: Delivery = COOKIE) -> None:
        self.kit = kit
        self.way = DRIVERS[way]
        self.delivery = delivery
        core = kit.engine.core
        self.own = [one.name for rib in RIBS for one in rib.factors(core)]
        self.spare = [one.name for rib in RIBS for one in rib.spares(core)]
        self._count = 0

    def offered(self, person: Person) -> list[str]:
        """What must be asked for: what is enrolled, but nothing by a mailbox that was shown already."""
        by_mailbox = self.kit.engine.core.factors.by_mailbox if self.way.proves_mailbox else ()
        return [one for one in (*self.own, *self.spare) if one in person.held and one not in by_mailbox]

    async def person(self, *factors: str, counts: bool = True) -> Person:
        """A new account with some factors, and spares if there are any; or with factors that were only begun."""
        self._count += 1
        person = Person(f"person-{self._count}@example.com")
        browser = await self.kit.signed_in(person.address)
        for name in (*factors, *(self.spare if factors and counts else ())):
            held = await FACTORS[name].begin(self.kit, browser, person.address)
            if counts:
                await FACTORS[name].finish(self.kit, browser, held)
                person.held[name] = held
        return person

    async def enter(self, person: Person) -> tuple[Browser, httpx2.Response]:
        """Go in with what is right, in a new browser."""
        browser = self.kit.browser()
        prepared = await self.prepare(browser, person)
        return browser, await self.way.enter(browser, person.address, prepared, self.delivery)

    async def prepare(self, browser: Browser, person: Person) -> Any:
        """What comes before the door."""
        return await self.way.prepare(self.kit, browser, person.address, self.delivery)

    async def answer(self, name: str, browser: Browser, attempt: str, held: Any) -> httpx2.Response:
        """Give a factor's right answer."""
        return await FACTORS[name].answer(self.kit, browser, attempt, held, self.delivery)

    async def waits(self, person: Person) -> tuple[Browser, str]:
        """A sign-in that waits for a factor, and has opened nothing so far."""
        before = len(await session_rows(self.kit))
        browser, answered = await self.enter(person)
        told = answered.json()
        assert (told["status"], told["factors"]) == ("factor_required", self.offered(person))
        assert (await browser.get("/auth/session")).status_code == 401
        assert len(await session_rows(self.kit)) == before
        attempt: str = told["attempt"]
        return browser, attempt

    async def opens_at_once(self, person: Person) -> None:
        """Without a factor the way in alone is enough, and says so."""
        browser, answered = await self.enter(person)
        told = answered.json()
        assert told["status"] == "complete", told
        assert told["session"]["acr"] == ("2" if self.way.is_multi_factor else "1")
        await self.opened(answered, browser, person)

    async def opened(self, answered: httpx2.Response, browser: Browser, person: Person) -> None:
        """An answer that hands out a session of this account, in this way and no other."""
        token = answered.json().get("access_token")
        assert (token is not None) == (self.delivery == TOKENS)
        assert (self.kit.engine.app.edge.cookies.session in browser.cookies) == (self.delivery == COOKIE)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        who = (await browser.get("/auth/session", headers=headers)).json()
        assert who["user"]["email"] == person.address

    async def refused(self, answered: httpx2.Response, browser: Browser, before: int, *codes: str) -> None:
        """An answer with one of these codes, which opened nothing."""
        assert answered.json()["code"] in codes, answered.text
        assert (await browser.get("/auth/session")).status_code == 401
        assert len(await session_rows(self.kit)) == before


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine with everything that ships, and one more way in."""
    async with running(tmp_path, database=database_url, ribs=(*RIBS, KNOCK), **SETTINGS) as kit:
        yield kit


async def test_each_has_a_driver(tmp_path: Path) -> None:
    """Whatever the engine has is walked through below, and nothing that it does not have; a new one is missed."""
    hatch = Rib(name="hatch", ways=("hatch",))
    async with running(tmp_path, ribs=(*RIBS, hatch)) as kit:
        core = kit.engine.core
        assert core.door.ways - set(WAYS) == {"hatch"}
        assert set(WAYS) == core.door.ways - {"hatch"}
        assert set(FACTORS) == set(core.factors.by_name)


async def test_a_way_in_that_is_not_declared_opens_nothing(tmp_path: Path) -> None:
    """A rib that forgot to declare its way in is told at the first try, so that it cannot stay unseen here."""
    async with running(tmp_path, ribs=(*RIBS, replace(KNOCK, ways=()))) as kit:
        await kit.signed_up("anna@example.com")
        browser = kit.browser()
        answered = await browser.post("/auth/knock", json={"email": "anna@example.com", "knocks": 3})
        assert (answered.status_code, answered.json()["code"]) == (500, "internal_error")
        assert await session_rows(kit) == []


@pytest.mark.parametrize(("way", "delivery"), DOORS)
async def test_what_is_asked_and_what_opens(kit: Kit, way: str, delivery: Delivery) -> None:
    """Nothing enrolled, each factor, all of them, one that was only begun, and all removed by an operator.

    What counts is asked for, all of it and nothing else; the right answer opens once, from the browser that asked, and
    neither a wrong one nor somebody else's does.
    """
    stage = Stage(kit, way, delivery)
    core = kit.engine.core
    nobodys = [await stage.person(), *[await stage.person(one, counts=False) for one in stage.own]]
    lost = await stage.person(*stage.own)
    everything = await stage.person(*stage.own)
    stranger = await stage.person(*stage.own)
    lost_id = await account_id(kit, lost.address)
    await changed(kit, lambda change: core.factors.reset(change, lost_id))
    for person in (*nobodys, lost):
        await stage.opens_at_once(person)
    # Which factors are asked for does not depend on the delivery; one account shows that they are.
    alone = [await stage.person(one) for one in stage.own] if delivery == COOKIE else []
    for person in (everything, *alone):
        if stage.way.is_multi_factor:
            await stage.opens_at_once(person)
            continue
        assert stage.offered(person)
        for name in stage.offered(person):
            await _answered(stage, person, stranger, name)


async def _answered(stage: Stage, person: Person, stranger: Person, name: str) -> None:
    """One factor of one account: wrong, somebody else's, handed out otherwise or elsewhere, right, and again."""
    kit, driver, held = stage.kit, FACTORS[name], person.held[name]
    browser, attempt = await stage.waits(person)
    before = len(await session_rows(kit))
    given = {"attempt": attempt, "delivery": stage.delivery}
    for factor, code in (
        ("nonsense", "000000"),
        *((one, "000000") for one in FACTORS if one not in person.held),
        (name, ""),
    ):
        answered = await browser.post("/auth/login/factor", json={**given, "factor": factor, "code": code})
        await stage.refused(answered, browser, before, "invalid_credentials")
    missed = await driver.miss(kit, browser, attempt, held, stage.delivery)
    await stage.refused(missed, browser, before, "invalid_credentials")
    # There the challenge goes to the account's own mailbox.
    if name not in kit.engine.core.factors.by_mailbox:
        theirs = await stage.answer(name, browser, attempt, stranger.held[name])
        await stage.refused(theirs, browser, before, "invalid_credentials")
    # A program's attempt is bound to no browser, so it never becomes a cookie, and a browser's never becomes tokens.
    other: Delivery = COOKIE if stage.delivery == TOKENS else TOKENS
    turned = await driver.answer(kit, browser, attempt, held, other)
    await stage.refused(turned, browser, before, "attempt_invalid")
    if stage.delivery == COOKIE:
        thief = kit.browser()
        stolen = await stage.answer(name, thief, attempt, held)
        await stage.refused(stolen, thief, before, "attempt_invalid")

    done = await stage.answer(name, browser, attempt, held)
    assert done.json()["status"] == "complete", done.text
    assert done.json()["session"]["acr"] == "2"
    assert "mfa" in done.json()["session"]["amr"]
    await stage.opened(done, browser, person)
    assert len(await session_rows(kit)) == before + 1
    again = await stage.answer(name, browser, attempt, held)
    assert again.json()["code"] == "attempt_invalid"
    assert len(await session_rows(kit)) == before + 1


async def test_on_a_trusted_device(kit: Kit) -> None:
    """Every way in opens there with what it shows itself, and says no more than that; programs are asked each time.

    Who is signed in there is asked, too; so is everybody once it is forgotten, and somebody else from the beginning.
    """
    first = Stage(kit, "password")
    person, stranger = await first.person(*first.own), await first.person(*first.own)
    name = kit.engine.app.edge.cookies.trust
    value = await planted(kit, person.address)

    async def entered(stage: Stage, who: Person, browser: Browser | None = None) -> tuple[Browser, Any]:
        there = browser or kit.browser(cookies={name: value})
        prepared = await stage.prepare(there, who)
        return there, (await stage.way.enter(there, who.address, prepared, stage.delivery)).json()

    for way, delivery in DOORS:
        stage = Stage(kit, way, delivery)
        browser, told = await entered(stage, person)
        if delivery == TOKENS and not stage.way.is_multi_factor:
            assert told["status"] == "factor_required", (way, delivery)
            continue
        assert told["status"] == "complete", (way, delivery, told)
        is_two = stage.way.is_multi_factor
        assert (told["session"]["acr"] == "2", "mfa" in told["session"]["amr"]) == (is_two, is_two), way
        if is_two:
            continue
        assert (await entered(stage, person, browser))[1]["status"] == "factor_required", way
        assert (await entered(stage, stranger))[1]["status"] == "factor_required", way
        kit.clock.turn(SOON)
    who = await account_id(kit, person.address)
    await changed(kit, lambda change: change.run(END_ALL, of_account=who))
    for way, delivery in DOORS:
        stage = Stage(kit, way, delivery)
        if not stage.way.is_multi_factor:
            assert (await entered(stage, person))[1]["status"] == "factor_required", (way, delivery)


@pytest.mark.parametrize(("way", "delivery"), DOORS)
async def test_an_account_that_may_not_be_used(kit: Kit, way: str, delivery: Delivery) -> None:
    """Disabled after the link was mailed, disabled or changed between the steps, locked by failures of this way in:
    nothing opens, right as it may be, and nothing is spent; afterwards it opens again."""
    stage = Stage(kit, way, delivery)
    core = kit.engine.core
    for person in (await stage.person(), await stage.person(*stage.own)):
        who = await account_id(kit, person.address)
        waiting = []
        if person.held and not stage.way.is_multi_factor:
            waiting = [(name, *(await stage.waits(person))) for name in stage.offered(person)]
        late = kit.browser()
        prepared = await stage.prepare(late, person)
        before = len(await session_rows(kit))
        await set_status(kit, who, Status.DISABLED)
        answered = await stage.way.enter(late, person.address, prepared, delivery)
        await stage.refused(answered, late, before, "invalid_credentials")
        await set_status(kit, who, Status.ACTIVE)
        for name, browser, attempt in waiting:  # of another epoch, although the account may be used again
            answered = await stage.answer(name, browser, attempt, person.held[name])
            await stage.refused(answered, browser, before, "invalid_credentials")
        await signin.unlock(core, person.address)

        guesser = kit.browser("192.0.2.99")
        prepared = await stage.prepare(guesser, person)
        pending = await stage.waits(person) if waiting else None
        for _ in range(LOCK_AFTER):
            missed = await stage.way.miss(guesser, person.address, prepared, delivery)
            await stage.refused(missed, guesser, before, "invalid_credentials")
        late, locked = await stage.enter(person)
        assert locked.status_code == 429
        await stage.refused(locked, late, before, "too_many_attempts", "account_locked")
        if pending is not None:
            name = stage.offered(person)[0]
            answered = await stage.answer(name, *pending, person.held[name])
            await stage.refused(answered, pending[0], before, "too_many_attempts", "account_locked")
        await signin.unlock(core, person.address)
        kit.clock.turn(SOON)
        if waiting:
            await stage.waits(person)
        else:
            await stage.opens_at_once(person)


@pytest.mark.parametrize("way", NAMES)
async def test_who_needs_a_factor_and_has_none(database_url: str, tmp_path: Path, way: str) -> None:
    """Where a factor is required and the grace is over, one step opens nothing; what can be added is offered."""
    given = SETTINGS | {"require_factor": "everybody", "factor_grace": "0s"}
    async with running(tmp_path, database=database_url, ribs=(*RIBS, KNOCK), **given) as kit:
        stage = Stage(kit, way)
        await kit.signed_up("anna@example.com")
        browser, answered = await stage.enter(Person("anna@example.com"))
        if stage.way.is_multi_factor:
            assert answered.json()["status"] == "complete"
            return
        assert answered.json()["status"] == "enrolment_required"
        assert answered.json()["factors"] == list(kit.engine.core.factors.enrollable)
        assert (await browser.get("/auth/session")).status_code == 401
        assert await session_rows(kit) == []


@pytest.mark.parametrize("way", NAMES)
async def test_an_address_that_is_not_proven(database_url: str, tmp_path: Path, way: str) -> None:
    """It opens nothing, however right, unless the way in itself proves the mailbox; then what a stranger may have
    enrolled before is gone (L10)."""
    root = base64.urlsafe_b64encode(World().bytes(32)).decode()
    given = SETTINGS | {"database": database_url, "ribs": (*RIBS, KNOCK), "root_secret": root}
    async with running(tmp_path, verify_email="optional", **given) as kit:
        factors = [one for one in Stage(kit, way).own if one not in kit.engine.core.factors.by_mailbox]
        body = {"email": "anna@example.com", "password": PASSWORD}
        (await kit.browser().post("/auth/register", json=body)).raise_for_status()
        browser = await kit.sign_in("anna@example.com")
        for name in factors:
            held = await FACTORS[name].begin(kit, browser, "anna@example.com")
            await FACTORS[name].finish(kit, browser, held)
        before = len(await session_rows(kit))
    async with running(tmp_path, **given) as kit:
        stage = Stage(kit, way)
        browser, answered = await stage.enter(Person("anna@example.com"))
        if stage.way.proves_mailbox:
            assert answered.json()["status"] == "complete"
            assert not (await browser.get("/auth/mfa")).json()["enabled"]
        else:
            await stage.refused(answered, browser, before, "email_not_verified")
