"""Access tokens: what they say, how long, who takes them, and that the session behind them must live."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ostiary.core.access import access
from ostiary.core.tokens.access import Grant
from ostiary.engine.engine import Engine
from ostiary.engine.settings import load
from ostiary.kernel.errors import Misuse
from ostiary.kernel.origin import Origin
from ostiary.kernel.world import World
from ostiary.protocols import access_token
from ostiary.protocols.jose import jwk, jwt
from ostiary.testing import Kit, running
from tests.core.access.test_authority import give
from tests.features.tokens.stage import ANNA, claims_of, code_of, pair_of, part, refresh, who

BASE = "https://auth.example.test"


async def test_what_an_access_token_says(kit: Kit) -> None:
    """The claims of RFC 9068 and ours, signed by a published key, for a quarter of an hour."""
    await kit.signed_up(ANNA)
    pair = await pair_of(kit)
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 900)
    token, user, session = pair["access_token"], pair["user"], pair["session"]
    assert part(token, 0) == {
        "alg": "ES256",
        "typ": "at+jwt",
        "kid": kit.engine.core.signing.current.kid,
    }
    claims = claims_of(token)
    assert claims["exp"] - claims["iat"] == 900
    assert claims["auth_time"] == claims["iat"]
    assert {name: claims[name] for name in claims.keys() - {"iat", "exp", "jti", "auth_time"}} == {
        "iss": BASE,
        "aud": BASE,
        "sub": user["id"],
        "client_id": "ostiary",
        "sid": session["id"],
        "scope": "account",
        "ver": 0,
        "roles": [],
        "amr": ["pwd"],
        "acr": "1",
    }
    keys = jwk.read_set((await kit.browser().get("/oauth2/jwks")).content)
    read = access_token.of(jwt.read(token, keys, access_token.expected(BASE, BASE), kit.clock.now()))
    assert (read.subject, read.session_id, read.version) == (user["id"], session["id"], 0)
    other = await refresh(kit, pair["refresh_token"])
    assert claims_of(other.json()["access_token"])["jti"] != claims["jti"]


async def test_an_access_token_is_taken_where_a_session_is(kit: Kit) -> None:
    """Who am I, and every route behind a session, take it as a bearer; they set no cookie and want no CSRF token."""
    await kit.signed_up(ANNA)
    pair = await pair_of(kit)
    answer = await who(kit, pair["access_token"])
    assert answer.json()["user"]["email"] == ANNA
    assert answer.json()["session"]["id"] == pair["session"]["id"]
    assert "set-cookie" not in answer.headers
    # The scheme's case does not matter (RFC 9110 section 11.1).
    bearer = {"authorization": f"bearer {pair['access_token']}"}
    listed = await kit.browser().get("/auth/sessions", headers=bearer)
    assert [one["current"] for one in listed.json()["sessions"]] == [True]
    assert (await kit.browser().post("/auth/sessions/revoke-others", headers=bearer)).status_code == 200


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer nonsense", "Bearer a.b.c", "Bearer é", "Bearer a b", "Basic dXNlcjpwYXNz"],
)
async def test_nonsense_is_nobody(kit: Kit, header: str) -> None:
    """What is no token of ours is refused, whatever it looks like."""
    answer = await kit.browser().get("/auth/session", headers={b"authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert code_of(answer) in {"token_invalid", "not_authenticated"}


async def test_a_token_in_the_address_is_nobody(kit: Kit) -> None:
    """Tokens are never read from a query, where logs keep them."""
    await kit.signed_up(ANNA)
    pair = await pair_of(kit)
    answer = await kit.browser().get("/auth/session", params={"access_token": pair["access_token"]})
    assert code_of(answer) == "not_authenticated"


async def test_it_expires(kit: Kit) -> None:
    """After its quarter of an hour, and a few seconds for clocks, it is refused as expired."""
    await kit.signed_up(ANNA)
    pair = await pair_of(kit)
    kit.clock.turn(timedelta(minutes=14, seconds=50))
    assert (await who(kit, pair["access_token"])).status_code == 200
    kit.clock.turn(timedelta(seconds=20))
    answer = await who(kit, pair["access_token"])
    assert code_of(answer) == "token_expired"
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_an_altered_token_is_refused(kit: Kit) -> None:
    """Another claim, or another signature, and it is nobody's."""
    await kit.signed_up(ANNA)
    mine, other = [(await pair_of(kit))["access_token"] for _ in range(2)]
    head, body, signature = mine.split(".")
    for forged in (
        f"{head}.{other.split('.')[1]}.{signature}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}.",
    ):
        assert code_of(await who(kit, forged)) == "token_invalid"


async def test_an_ended_session_takes_its_tokens_along(kit: Kit) -> None:
    """Signed by us and not expired is not enough: the session must live at that moment."""
    browser = await kit.signed_in(ANNA)
    pair = await pair_of(kit)
    assert (await who(kit, pair["access_token"])).status_code == 200
    await browser.delete(f"/auth/sessions/{pair['session']['id']}")
    assert code_of(await who(kit, pair["access_token"])) == "session_ended"


async def test_a_browser_gets_an_access_token_for_its_session(kit: Kit) -> None:
    """With the cookie and the CSRF token; it names the same session, and no refresh token comes along."""
    browser = await kit.signed_in(ANNA)
    session = (await browser.get("/auth/session")).json()["session"]
    answer = await browser.post("/auth/token")
    assert answer.json().keys() == {"access_token", "token_type", "expires_in"}
    assert claims_of(answer.json()["access_token"])["sid"] == session["id"]
    assert (await who(kit, answer.json()["access_token"])).status_code == 200
    assert answer.headers["cache-control"] == "no-store"


async def test_not_without_the_csrf_token(kit: Kit) -> None:
    """Another site cannot make a browser fetch one."""
    await kit.signed_up(ANNA)
    browser = await kit.sign_in(ANNA, sends_csrf=False)
    assert code_of(await browser.post("/auth/token")) == "csrf_failed"


async def test_an_access_token_gets_no_further_one(kit: Kit) -> None:
    """Otherwise it would live for ever by renewing itself."""
    await kit.signed_up(ANNA)
    pair = await pair_of(kit)
    bearer = {"authorization": f"Bearer {pair['access_token']}"}
    assert code_of(await kit.browser().post("/auth/token", headers=bearer)) == "not_authenticated"


async def test_it_never_outlives_the_session(tmp_path: Path) -> None:
    """Shortly before a session ends whatever happens, its access tokens end with it."""
    async with running(tmp_path, session_idle="20m", session_lifetime="20m", refresh_lifetime="7d") as kit:
        browser = await kit.signed_in(ANNA)
        kit.clock.turn(timedelta(minutes=12))
        token = (await browser.post("/auth/token")).json()
        assert 400 < token["expires_in"] <= 480
        claims = claims_of(token["access_token"])
        assert token["expires_in"] == claims["exp"] - claims["iat"]


async def test_roles(kit: Kit) -> None:
    """A token names the account's own roles, as they are when it is made."""
    core = kit.engine.core
    await kit.signed_up("bert@example.com")
    await kit.signed_up(ANNA)
    bert, anna = await pair_of(kit, "bert@example.com"), await pair_of(kit)
    for account, role in ((bert, "gardener"), (anna, "cook"), (anna, "baker")):
        async with core.runner.flow(Origin()) as flow:
            await flow.change(
                lambda change, account=account, role=role: access.grant(  # type: ignore[misc]
                    change, account["user"]["id"], role, "test"
                )
            )
    for pair, roles in ((bert, ["gardener"]), (anna, ["baker", "cook"])):
        for token in (
            (await refresh(kit, pair["refresh_token"])).json(),
            await pair_of(kit, pair["user"]["email"]),
        ):
            assert claims_of(token["access_token"])["roles"] == roles


async def test_no_token_outlives_a_role_that_it_names(kit: Kit) -> None:
    """A role for a minute makes tokens of a minute, at sign-in and at a refresh; with its end they last as ever."""
    await kit.signed_up(ANNA)
    await give(kit, "admin", lasts=timedelta(minutes=1))
    pair = await pair_of(kit)
    for token in (pair["access_token"], (await refresh(kit, pair["refresh_token"])).json()["access_token"]):
        claims = claims_of(token)
        assert claims["roles"] == ["admin"]
        assert 0 < claims["exp"] - claims["iat"] <= 61
    kit.clock.turn(timedelta(minutes=2))
    claims = claims_of((await pair_of(kit))["access_token"])
    assert "admin" not in claims.get("roles", [])
    assert claims["exp"] - claims["iat"] > 600


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
async def test_settings_of_tokens(tmp_path: Path, algorithm: str) -> None:
    """Audience, client, lifetime, roles and algorithm are what the settings say."""
    async with running(
        tmp_path,
        signing_algorithm=algorithm,
        access_audience="https://api.example.com",
        first_party_client="shop",
        access_roles=False,
        access_lifetime="5m",
    ) as kit:
        await kit.signed_up(ANNA)
        pair = await pair_of(kit)
        claims = claims_of(pair["access_token"])
        assert part(pair["access_token"], 0)["alg"] == algorithm
        assert (claims["aud"], claims["client_id"], pair["expires_in"]) == (
            "https://api.example.com",
            "shop",
            300,
        )
        assert "roles" not in claims
        assert (await who(kit, pair["access_token"])).status_code == 200
        assert (await refresh(kit, pair["refresh_token"])).status_code == 200


@pytest.fixture
def grant() -> Grant:
    """What a token is made from."""
    now = World().now()
    return Grant("anna", "session", "ostiary", "account", (), 0, ("pwd",), "1", now, now + timedelta(hours=1))


async def test_a_host_adds_claims(tmp_path: Path, grant: Grant) -> None:
    """What the host's function returns stands in the token, beside ours."""

    async def plan(granted: Grant) -> Mapping[str, Any]:
        return {"plan": "gold", "for": granted.account_id}

    world = World()
    engine = Engine(load((), world, {"dev": True, "data": tmp_path}), (), world, token_claims=plan)
    async with engine:
        signed = await engine.core.tokens._access.sign(grant)
        claims = claims_of(signed.token.reveal())
        assert (claims["plan"], claims["for"], claims["sub"]) == ("gold", "anna", "anna")


@pytest.mark.parametrize(
    ("claims", "says"),
    [({"sub": "somebody else"}, "sub"), ({"roles": ["root"]}, "roles"), ({"note": "x" * 2100}, "2048")],
)
async def test_a_host_adds_within_bounds(
    tmp_path: Path, grant: Grant, claims: dict[str, Any], says: str
) -> None:
    """Claims under our names, or too many of them, are the host's mistake and make no token."""

    async def add(granted: Grant) -> Mapping[str, Any]:
        return claims

    world = World()
    engine = Engine(load((), world, {"dev": True, "data": tmp_path}), (), world, token_claims=add)
    async with engine:
        with pytest.raises(Misuse, match=says):
            await engine.core.tokens._access.sign(grant)
