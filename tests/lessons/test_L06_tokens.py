"""L06: every kind of secret that tokens brought is presented wherever another kind is taken: all pairs over HTTP."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2

from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.features.api_keys.stage import Host
from tests.features.tokens.stage import ANNA, pair_of
from tests.features.tokens.test_codes import BACK, SPA, VERIFIER, begin, code_in
from tests.features.trusted_devices.stage import planted

Place = Callable[[Kit, str], Awaitable[httpx2.Response]]


async def session_cookie(kit: Kit, secret: str) -> httpx2.Response:
    """Who one is, by the session cookie."""
    return await kit.browser(cookies={kit.engine.app.edge.cookies.session: secret}).get("/auth/session")


async def access_cookie(kit: Kit, secret: str) -> httpx2.Response:
    """Who one is, by the access cookie."""
    return await kit.browser(cookies={kit.engine.app.edge.cookies.access: secret}).get("/auth/session")


async def bearer(kit: Kit, secret: str) -> httpx2.Response:
    """Who one is, by a bearer token."""
    return await kit.browser().get("/auth/session", headers={"authorization": f"Bearer {secret}"})


async def refresh(kit: Kit, secret: str) -> httpx2.Response:
    """The next pair."""
    return await kit.browser().post("/auth/refresh", json={"refresh_token": secret})


async def code(kit: Kit, secret: str) -> httpx2.Response:
    """A front end's exchange."""
    return await kit.browser().post("/auth/token", json={"code": secret, "code_verifier": VERIFIER})


async def attempt(kit: Kit, secret: str) -> httpx2.Response:
    """A sign-in that waits."""
    body = {"attempt": secret, "factor": "totp", "code": "123456", "delivery": "tokens"}
    return await kit.browser().post("/auth/login/factor", json=body)


async def link(kit: Kit, secret: str) -> httpx2.Response:
    """The link of a mail that proves an address."""
    return await kit.browser().post("/auth/email/verify", json={"token": secret})


async def reset(kit: Kit, secret: str) -> httpx2.Response:
    """The link of a mail that resets a password."""
    body = {"token": secret, "new_password": "another harbour, eighteen lanterns"}
    return await kit.browser().post("/auth/password/reset", json=body)


async def key_header(kit: Kit, secret: str) -> httpx2.Response:
    """Who asks at a host's route, by an API key."""
    return await Host(kit).client(secret).get("/who")


async def key_bearer(kit: Kit, secret: str) -> httpx2.Response:
    """Who asks at a host's route, by an API key as Bearer token."""
    return await Host(kit).client(bearer=secret).get("/key")


# Where each is taken, and which secrets are good there.
PLACES: dict[str, tuple[Place, frozenset[str]]] = {
    "session cookie": (session_cookie, frozenset({"session"})),
    "access cookie": (access_cookie, frozenset({"access"})),
    "bearer": (bearer, frozenset({"access"})),
    "refresh": (refresh, frozenset({"refresh"})),
    "code": (code, frozenset({"code"})),
    "attempt": (attempt, frozenset()),
    "link": (link, frozenset({"link"})),
    "reset": (reset, frozenset()),
    "key header": (key_header, frozenset({"key"})),
    "key bearer": (key_bearer, frozenset({"key"})),
}


async def test_every_secret_everywhere(database_url: str, tmp_path: Path) -> None:
    """Only the one that is meant is taken, and none is spent or ended by being shown at the wrong place."""
    given: dict[str, Any] = {"front_end_origins": (SPA,), "token_origins": (SPA,), "after_sign_in": (BACK,)}
    async with running(tmp_path, database=database_url, **given) as kit:
        browser = await kit.signed_in(ANNA)
        cookies = kit.engine.app.edge.cookies
        pair = await pair_of(kit)
        bert = {"email": "bert@example.com", "password": PASSWORD}
        await kit.browser().post("/auth/register", json=bert)
        token, digits = await kit.verification("bert@example.com")
        feed = await kit.browser().get("/auth/revocations")
        trusting = kit.browser(cookies={cookies.trust: await planted(kit, ANNA)})
        secrets = {
            "trust": trusting.cookies[cookies.trust],
            "trust's own": trusting.cookies[cookies.trust].partition(".")[2],
            "session": browser.cookies[cookies.session],
            "csrf": browser.cookies[cookies.csrf],
            "known browser": browser.cookies[cookies.known],
            "access": pair["access_token"],
            "refresh": pair["refresh_token"],
            "key": (await browser.post("/auth/api-keys", json={"name": "Deploy"})).json()["key"],
            "code": code_in(await begin(browser)),
            "link": token,
            "digits": digits,
            "feed": feed.text,
            "verifier": VERIFIER,
        }
        for name, secret in secrets.items():
            for place, (present, good) in PLACES.items():
                if name not in good:
                    answer = await present(kit, secret)
                    assert 400 <= answer.status_code < 500, (name, place, answer.text)
        for place, (present, good) in PLACES.items():
            for name in good:
                answer = await present(kit, secrets[name])
                assert answer.status_code == 200, (name, place, answer.text)
