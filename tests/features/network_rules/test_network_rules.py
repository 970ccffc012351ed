"""Network rules over HTTP: at the edge, at the door, and at every use of what signs somebody in."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from ostiary.core.access import access
from ostiary.core.journal.store import journal
from ostiary.core.networks.networks import TURNED_AWAY
from ostiary.core.tokens.settings import COOKIE, TOKENS
from ostiary.engine.features import RIBS
from ostiary.features.claim import flow as claiming
from ostiary.http.rib import Rib
from ostiary.kernel.errors import Misuse, Refused
from ostiary.kernel.origin import Origin
from ostiary.server import health
from ostiary.storage.statement import Query
from ostiary.testing import Browser, Kit, running
from ostiary.testing.drivers import FACTORS, WAYS, FactorDriver, WayDriver
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import account_id, changed, dump, session_rows
from tests.features.tokens import test_codes as front_end
from tests.features.tokens.stage import ANNA
from tests.lessons.test_L03_disabled import held
from tests.security.stage import WRONG, drained
from tests.support.places import OSLO, SYDNEY, atlas

HOME, AWAY = "10.0.0.5", "203.0.113.7"
SPA = "https://app.example.com"
TO_FRONT_END = f"/login?next={SPA}/in&code_challenge={'a' * 43}"
PROBES = Rib(name="probes", hot_routes=health.ROUTES)
_TOLD = Query(
    "test.turned_away",
    sa.select(journal.c.account_id, journal.c.ip, journal.c.data)
    .where(journal.c.type == TURNED_AWAY.name)
    .order_by(journal.c.at, journal.c.id),
    lambda account, ip, data: (account, ip, json.loads(data)),
    scan=True,
)


async def told(kit: Kit) -> list[tuple[str | None, str, dict[str, Any]]]:
    """What the journal says of whom was turned away."""
    return await kit.engine.core.database.all(_TOLD)


def is_refused(answer: httpx2.Response) -> bool:
    """Whether it is the refusal, and not another one."""
    if answer.status_code != 403:
        return False
    if answer.headers["content-type"].startswith("text/html"):
        return "Not from here" in answer.text
    return bool(answer.json()["code"] == "network_refused")


async def unchanged(kit: Kit, before: dict[str, Any]) -> None:
    """Nothing but counters and journal is another."""
    await drained(kit)
    after = await dump(kit, without=("journal", "throttle"))
    assert after == before


async def rows(kit: Kit) -> dict[str, Any]:
    """Every row of every table, but counters and journal."""
    await drained(kit)
    return await dump(kit, without=("journal", "throttle"))


async def test_nobody_gets_past_the_edge(database_url: str, tmp_path: Path) -> None:
    """Every route but the probes is refused from elsewhere, before anything is read; a header moves nobody unless the
    operator's proxy wrote it; and the journal is told once."""
    file = atlas(tmp_path / "city.mmdb", {"198.51.100.0/25": OSLO, "198.51.100.128/25": SYDNEY})
    rules: dict[str, Any] = {
        "network_allow": "10.0.0.0/8, 2001:db8::/32, NO",
        "network_deny": "10.6.0.0/16",
        "geoip_file": file,
    }
    async with running(tmp_path, database=database_url, ribs=(*RIBS, PROBES), **rules) as kit:
        before = await rows(kit)
        away = kit.browser(AWAY)
        for route in kit.engine.app.declared:
            answer = await away.request(route.method, route.path.replace("{", "").replace("}", ""))
            is_probe = route.path in {"/healthz", "/readyz"}
            assert (answer.status_code == 200) if is_probe else is_refused(answer), (route, answer.text)
        assert is_refused(await away.get("/nothing/here"))
        assert is_refused(
            await away.post("/auth/login", content=b"{", headers={"content-type": "application/json"})
        )
        assert is_refused(await away.get("/login", headers={"x-forwarded-for": HOME}))
        await unchanged(kit, before)
        # SYDNEY is known and not listed, 192.0.2.1 is nowhere, and `deny` is stronger than `allow`.
        for ip, status in (
            (HOME, 200), ("::ffff:10.0.0.5", 200), ("2001:db8::7", 200), ("198.51.100.7", 200),
            ("10.6.0.1", 403), ("198.51.100.200", 403), ("192.0.2.1", 403), ("2001:db9::7", 403), ("127.0.0.1", 403),
        ):  # fmt: skip
            assert (await kit.browser(ip).get("/login")).status_code == status, ip
        assert (await told(kit))[0] == (
            None, AWAY, {"group": "everybody", "why": "country_unknown", "rule": "", "country": "", "untold": 0},
        )  # fmt: skip
        assert [(ip, data["why"], data["rule"]) for _, ip, data in (await told(kit))[1:3]] == [
            ("10.6.0.1", "denied", "10.6.0.0/16"), ("198.51.100.200", "not_listed", ""),
        ]  # fmt: skip
        assert len(await told(kit)) == 6
        kit.clock.turn(timedelta(hours=1))
        await away.get("/login")
        assert (await told(kit))[-1][1] == AWAY
        assert (await told(kit))[1][2]["untold"] > 50


async def test_only_the_operators_proxy_is_believed(tmp_path: Path) -> None:
    """Behind one proxy the address that it appended counts, and what the client wrote before it does not."""
    async with running(tmp_path, network_allow="10.0.0.0/8", trusted_proxies=1) as kit:
        proxy = kit.browser("10.9.9.9")
        for forwarded, status in (
            (HOME, 200), (f"{AWAY}, {HOME}", 200), (AWAY, 403), (f"{HOME}, {AWAY}", 403), (f"{HOME},{AWAY}:443", 403),
        ):  # fmt: skip
            answer = await proxy.get("/login", headers={"x-forwarded-for": forwarded})
            assert answer.status_code == status, forwarded


@pytest.mark.parametrize("setting", ["network_deny", "admin_network_allow", "role_networks"])
async def test_a_country_needs_a_file_of_places(tmp_path: Path, setting: str) -> None:
    """A rule that nobody could judge stops the start, whomever it concerns."""
    rule: dict[str, Any] = {setting: "user=NO" if setting == "role_networks" else "NO"}
    with pytest.raises(Misuse, match="give geoip_file"):
        async with running(tmp_path, **rule):
            pass


class Person:
    """Somebody who is signed in at home in every way: by cookie, by tokens, and with an API key."""

    def __init__(self, kit: Kit, address: str) -> None:
        self.kit = kit
        self.address = address
        self.cookies: dict[str, str] = {}
        self.pair: dict[str, Any] = {}
        self.key = ""

    async def signed_in(self) -> "Person":
        """Sign in, and make a key."""
        browser = await self.kit.signed_in(self.address, ip=HOME)
        body = {"identifier": self.address, "password": PASSWORD, "delivery": "tokens"}
        self.pair = (await self.kit.browser(HOME).post("/auth/login", json=body)).raise_for_status().json()
        made = await browser.post("/auth/api-keys", json={"name": "Key", "scopes": []})
        self.key = made.raise_for_status().json()["key"]
        self.cookies = dict(browser.cookies)
        return self

    def at(self, ip: str) -> Browser:
        """Their browser, somewhere."""
        return self.kit.browser(ip, cookies=self.cookies)

    async def uses(self, ip: str) -> list[httpx2.Response]:
        """Every use of what signs them in that changes nothing, from somewhere."""
        browser, program = self.at(ip), self.kit.browser(ip)
        bearer = {"authorization": f"Bearer {self.pair['access_token']}"}
        return [
            await browser.get("/auth/session"),
            await browser.get("/account"),
            await browser.post("/auth/token"),
            await program.get("/auth/session", headers=bearer),
            await program.get("/auth/account", headers=bearer),
        ]

    async def refreshes(self, ip: str) -> httpx2.Response:
        """Exchange the refresh token, somewhere."""
        body = {"refresh_token": self.pair["refresh_token"]}
        return await self.kit.browser(ip).post("/auth/refresh", json=body)


async def test_who_holds_a_role_is_held_to_its_rules(database_url: str, tmp_path: Path) -> None:
    """An administrator and a supporter: right proofs from elsewhere open nothing and tell nobody more than that; what
    was begun at home is worth nothing there, is not touched by that, and goes on at home. Others go anywhere."""
    rules: dict[str, Any] = {
        "admin_network_allow": "10.0.0.0/8",
        "role_networks": "moderator=!203.0.113.0/24",
        "front_end_origins": SPA,
        "token_origins": SPA,
        "after_sign_in": f"{SPA}/in",
    }
    async with running(tmp_path, database=database_url, **rules) as kit:
        anna, mia, bert = [
            await Person(kit, f"{name}@example.com").signed_in() for name in ("anna", "mia", "bert")
        ]
        held = {anna: "admin", mia: "moderator"}
        for person, role in held.items():
            assert not any(map(is_refused, await person.uses(AWAY)))  # nobody holds anything so far
            of = await account_id(kit, person.address)
            await changed(kit, lambda change, of=of, role=role: access.grant(change, of, role, "test"))  # type: ignore[misc]
        kit.clock.turn(timedelta(minutes=2))  # a use would be noted now
        before = await rows(kit)
        for person in held:
            for answer in await person.uses(AWAY):
                assert is_refused(answer), (person.address, answer.url, answer.text)
            with pytest.raises(Refused, match="network_refused"):
                await kit.engine.core.api_keys.resolve(Origin(ip=AWAY), person.key)
            assert is_refused(await person.refreshes(AWAY))
            browser = kit.browser(AWAY)
            right = {"identifier": person.address, "password": PASSWORD}
            for delivery in (COOKIE, TOKENS):
                assert is_refused(await browser.post("/auth/login", json={**right, "delivery": delivery}))
            assert not browser.cookies
            wrong = await browser.post("/auth/login", json={**right, "password": WRONG})
            unknown = await browser.post(
                "/auth/login", json={"identifier": "x@example.com", "password": WRONG}
            )
            assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_credentials")
            assert wrong.json().keys() == unknown.json().keys()
            assert wrong.json()["code"] == unknown.json()["code"]
            assert person.address not in (await person.at(AWAY).get("/recover")).text
            # The sign-in page does not know them, and gives no front end a code; at home it leads on.
            assert (await person.at(AWAY).get("/signup")).status_code == 200
            assert (await person.at(AWAY).get(TO_FRONT_END)).status_code == 200
        await unchanged(kit, before)
        # MIA may come from anywhere but there; ANNA from home alone.
        assert [any(map(is_refused, await one.uses("192.0.2.1"))) for one in (anna, mia, bert)] == [
            True,
            False,
            False,
        ]
        assert not any(map(is_refused, await bert.uses(AWAY)))
        for person in held:
            assert {answer.status_code for answer in await person.uses(HOME)} == {200}
            assert (await person.refreshes(HOME)).status_code == 200
            assert (await person.at(HOME).get(TO_FRONT_END)).headers["location"].startswith(f"{SPA}/in?code=")
            assert (
                await kit.engine.core.api_keys.resolve(Origin(ip=HOME), person.key)
            ).account.email == person.address
        names = {await account_id(kit, one.address): one for one in held}
        owned = [(names[account], ip, data["group"]) for account, ip, data in await told(kit) if account]
        assert owned == [
            (anna, AWAY, "administrators"), (mia, AWAY, "role:moderator"), (anna, "192.0.2.1", "administrators"),
        ]  # fmt: skip
        words = (await anna.at(HOME).get("/auth/account/activity")).json()
        assert "Access was refused to a network that is not allowed." in json.dumps(words)
        # Whoever may do nothing may still sign out.
        (await anna.at(AWAY).post("/auth/logout")).raise_for_status()
        assert (await anna.at(HOME).get("/auth/session")).status_code == 401


async def test_every_grant_is_held_to_the_rules(database_url: str, tmp_path: Path) -> None:
    """Cookies, tokens, codes and keys in every delivery are refused once their owner holds the role, none of them is
    spent, prolonged or ended by that, and each works again when the role is gone."""
    given: dict[str, Any] = {
        "role_networks": "moderator=!192.0.2.0/24", "token_cookies": True, "front_end_origins": (front_end.SPA,),
        "token_origins": (front_end.SPA,), "after_sign_in": (front_end.BACK,),
    }  # fmt: skip
    async with running(tmp_path, database=database_url, **given) as kit:
        await kit.signed_up(ANNA)
        grants = await held(kit)
        anna = await account_id(kit, ANNA)
        await changed(kit, lambda change: access.grant(change, anna, "moderator", "test"))
        before = await rows(kit)
        for name, use in grants.items():
            answer = await use(kit)
            assert is_refused(answer), (name, answer.text)
            assert "set-cookie" not in answer.headers, name
        await unchanged(kit, before)
        await changed(kit, lambda change: access.revoke(change, anna, "moderator", "test"))
        found = {name: (await use(kit)).status_code for name, use in grants.items()}
        assert set(found.values()) == {200}, found


async def test_no_way_in_and_no_factor_gets_around_the_rules(database_url: str, tmp_path: Path) -> None:
    """Each way in, and each second factor after a password, ends at the same refusal, with nothing spent: the same
    proof opens at home."""
    drivers: list[WayDriver | FactorDriver] = [*WAYS.values(), *FACTORS.values()]
    settings: dict[str, Any] = {
        **{name: value for one in drivers for name, value in one.settings.items()},
        "role_networks": "moderator=10.0.0.0/8",
        "rate_limit_allow": ("10.0.0.0/8", "203.0.113.0/24"),
    }
    async with running(tmp_path, database=database_url, **settings) as kit:

        async def person(name: str, factor: str | None = None) -> tuple[str, Any]:
            address = f"{name}@example.com"
            browser = await kit.signed_in(address, ip=HOME)
            held = None
            if factor is not None:
                held = await FACTORS[factor].begin(kit, browser, address)
                await FACTORS[factor].finish(kit, browser, held)
            of = await account_id(kit, address)
            await changed(kit, lambda change: access.grant(change, of, "moderator", "test"))
            return address, held

        for name, way in WAYS.items():
            address, _ = await person(name)
            browser = kit.browser(AWAY)
            prepared = await way.prepare(kit, browser, address)
            sessions = await session_rows(kit)
            assert is_refused(await way.enter(browser, address, prepared)), name
            assert await session_rows(kit) == sessions
            assert (await browser.get("/auth/session")).status_code == 401
            if name != "passkey":  # bound to the browser that asked for it
                at_home = kit.browser(HOME, cookies=dict(browser.cookies))
                assert (await way.enter(at_home, address, prepared)).json()["status"] == "complete", name
        spares = {one.name for rib in RIBS for one in rib.spares(kit.engine.core)}
        for name, factor in FACTORS.items():
            if name in spares:
                continue
            address, held = await person(f"with-{name}".replace("_", "-"), name)
            browser = kit.browser(AWAY)
            begun = await browser.post("/auth/login", json={"identifier": address, "password": PASSWORD})
            assert begun.json()["status"] == "factor_required"
            answer = await factor.answer(kit, browser, begun.json()["attempt"], held)
            assert is_refused(answer), (name, answer.text)
            assert (await browser.get("/auth/session")).status_code == 401


async def test_nobody_becomes_administrator_where_none_may_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The claim link opens nothing from elsewhere, and is not spent by that; and a rule for a role that nobody can hold
    is told at start."""
    rules: dict[str, Any] = {"admin_network_allow": "10.0.0.0/8", "role_networks": "moderatr=10.0.0.0/8"}
    async with running(tmp_path, **rules) as kit:
        assert "there is no role 'moderatr'" in caplog.text
        link = await claiming.issue(kit.engine.core)
        anna = await kit.signed_in("anna@example.com", ip=AWAY)
        before = await rows(kit)
        body = {"token": link.partition("token=")[2]}
        assert is_refused(await anna.post("/auth/claim", json=body))
        await unchanged(kit, before)
        at_home = kit.browser(HOME, cookies=dict(anna.cookies))
        assert (await at_home.post("/auth/claim", json=body)).json() == {"status": "claimed"}
        assert is_refused(await anna.get("/auth/session"))
        assert (await at_home.get("/auth/session")).status_code == 200
