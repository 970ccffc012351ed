"""L06: what was made for one purpose is worth nothing for another, over all ordered pairs."""

import ast
import asyncio
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.core.keys.ring import PURPOSES, Keyring
from ostiary.core.keys.root import RootSeal
from ostiary.core.once.once import Use
from ostiary.features.claim import flow as claims
from ostiary.kernel.world import World
from ostiary.storage import migrate
from ostiary.storage.connect import database_for
from ostiary.testing import Kit
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import changed
from tests.features.magic_link.stage import link as magic_link
from tests.features.password.stage import link, token_in
from tests.features.totp.stage import begun, confirm
from tests.support.tree import sources

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."


def declared_uses() -> list[str]:
    """The name of every `Use` in the sources."""
    return sorted(
        {
            str(node.args[0].value)
            for path in sources()
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "Use"
            and isinstance(node.args[0], ast.Constant)
        }
    )


USES = [Use(name, timedelta(hours=1)) for name in declared_uses()]


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    """A keyring with a key for every purpose; it lives in memory."""
    url = f"sqlite:///{tmp_path_factory.mktemp('ring') / 'ring.db'}"
    migrate.upgrade(url)
    made = Keyring(World(), RootSeal(World().token()))

    async def fill() -> None:
        database = database_for(url, pool_size=1, prepared_statements=True)
        await database.open()
        await made.open(database, PURPOSES.values())
        await database.close()

    asyncio.run(fill())
    return made


def test_the_lists_are_not_empty() -> None:
    """The pairs below are made from what the engine declares."""
    assert {"attempt", "code", "throttle", "pepper", "outbox", "csrf", "totp"} <= PURPOSES.keys()
    assert {
        "sign_in_attempt",
        "verify_email_link",
        "verify_email_code",
        "reset_password_link",
        "claim_administrator",
    } <= set(declared_uses())


def test_keys_of_every_pair_are_strangers(ring: Keyring) -> None:
    """Sealed values and MACs of one purpose neither open nor check as another, even with the key's id exchanged."""
    for made_for, used_as in permutations(PURPOSES.values(), 2):
        sealed, mac = ring.seal(made_for, b"plain"), ring.mac(made_for, "part")
        assert ring.open_sealed(made_for, sealed) == b"plain"
        assert ring.check_mac(made_for, mac, "part")
        own = ring.current(used_as).id
        for key_id in (sealed.partition(".")[0], own):
            assert ring.open_sealed(used_as, f"{key_id}.{sealed.partition('.')[2]}") is None
            assert not ring.check_mac(used_as, f"{key_id}.{mac.partition('.')[2]}", "part")
        # a MAC is no sealed value, and the other way round
        assert ring.open_sealed(made_for, mac) is None
        assert not ring.check_mac(made_for, sealed, "part")


def test_the_key_alone_does_not_make_the_purpose(ring: Keyring) -> None:
    """Were two purposes ever given the same key, what one seals the other would still not open."""
    twin = Keyring(World(), RootSeal(World().token()))
    for made_for, used_as in permutations(PURPOSES.values(), 2):
        key = ring.current(made_for)
        for wanted in (made_for, used_as):
            twin._by_id[wanted.name, key.id] = key
            twin._current[wanted.name] = key
        assert twin.open_sealed(used_as, twin.seal(made_for, b"plain")) is None
        assert not twin.check_mac(used_as, twin.mac(made_for, "part"), "part")


async def _redeem_as_another(kit: Kit, made_for: Use, used_as: Use) -> None:
    core, subject = kit.engine.core, f"{made_for.name}/{used_as.name}"
    link = await changed(kit, lambda change: core.once.issue(change, made_for, subject))
    assert await changed(kit, lambda change: core.once.take(change, used_as, link)) is None
    assert await changed(kit, lambda change: core.once.take(change, made_for, link)) is not None
    code = await changed(kit, lambda change: core.once.issue_code(change, made_for, subject))
    for _ in range(6):
        assert await core.once.try_code(core.database, used_as, subject, code) is None
    tried = await core.once.try_code(core.database, made_for, subject, code)
    assert tried is not None
    assert await changed(kit, lambda change: core.once.take_code(change, used_as, tried)) is None
    assert await changed(kit, lambda change: core.once.take_code(change, made_for, tried)) is not None
    until = kit.clock.now() + timedelta(hours=1)
    assert await changed(kit, lambda change: core.once.claim(change, made_for, subject, until))
    assert await changed(kit, lambda change: core.once.claim(change, used_as, subject, until))


async def test_single_use_secrets_of_every_pair_are_strangers(kit: Kit) -> None:
    """Links, codes and claims of one use neither redeem nor spend another's, for the same subject."""
    for made_for, used_as in permutations(USES, 2):
        await _redeem_as_another(kit, made_for, used_as)


async def test_a_code_is_bound_to_its_subject(kit: Kit) -> None:
    """The same digits are worth nothing for somebody else who has a code, too."""
    core, use = kit.engine.core, USES[0]
    mine = await changed(kit, lambda change: core.once.issue_code(change, use, "mine"))
    while (theirs := await changed(kit, lambda c: core.once.issue_code(c, use, "theirs"))).matches(mine):
        continue
    assert await core.once.try_code(core.database, use, "theirs", mine) is None
    assert await core.once.try_code(core.database, use, "mine", mine) is not None
    assert await core.once.try_code(core.database, use, "theirs", theirs) is not None


async def test_over_http_nothing_passes_for_something_else(kit: Kit) -> None:
    """Every secret that a browser ever holds is shown at every other place that takes one."""
    browser = await kit.signed_in("anna@example.com")
    cookies = kit.engine.app.edge.cookies
    (
        await browser.post("/auth/register", json={"email": "bert@example.com", "password": PASSWORD})
    ).raise_for_status()
    token, code = await kit.verification("bert@example.com")
    held = {name: browser.cookies[name] for name in (cookies.session, cookies.csrf)}
    for secret in (token, code, held[cookies.csrf]):
        stranger = kit.browser(cookies={cookies.session: secret})
        assert (await stranger.get("/auth/session")).status_code == 401
    for secret in (*held.values(), code):
        refused = await kit.browser().post("/auth/email/verify", json={"token": secret})
        assert refused.json()["code"] == "verification_invalid"
    for secret in (*held.values(), token):
        body = {"attempt": secret, "factor": "totp", "code": "1"}
        refused = await kit.browser().post("/auth/login/factor", json=body)
        assert refused.json()["code"] == "attempt_invalid"
    for secret in (held[cookies.session], token):
        forged = {"x-csrf-token": secret, "cookie": f"{cookies.session}={held[cookies.session]}"}
        refused = await kit.browser(sends_csrf=False).post("/auth/sessions/revoke-others", headers=forged)
        assert refused.json()["code"] == "csrf_failed"
    assert (await kit.browser().post("/auth/email/verify", json={"token": token})).status_code == 200


async def test_what_answers_a_factor_answers_nothing_else(kit: Kit) -> None:
    """Backup codes and the secret of an app open no other place, and what opens other places answers no factor."""
    browser = await kit.signed_in("anna@example.com")
    app = await begun(kit, browser)
    codes = (await confirm(browser, app)).json()["backup_codes"]
    (
        await browser.post("/auth/register", json={"email": "bert@example.com", "password": PASSWORD})
    ).raise_for_status()
    token, mailed = await kit.verification("bert@example.com")
    cookies = kit.engine.app.edge.cookies
    secret = app.totp.secret
    for answer in (codes[0], secret):
        stranger = kit.browser(cookies={cookies.session: answer})
        assert (await stranger.get("/auth/session")).status_code == 401
        refused = await kit.browser().post("/auth/email/verify", json={"token": answer})
        assert refused.json()["code"] == "verification_invalid"
        body = {"attempt": answer, "factor": "totp", "code": codes[0]}
        refused = await kit.browser().post("/auth/login/factor", json=body)
        assert refused.json()["code"] == "attempt_invalid"
    body = {"identifier": "anna@example.com", "password": PASSWORD}
    waits = (await browser.post("/auth/login", json=body)).json()["attempt"]
    for factor, wrong in (
        ("backup_code", token[:64]),
        ("totp", mailed),
        ("totp", secret),
        ("totp", codes[0]),
    ):
        body = {"attempt": waits, "factor": factor, "code": wrong}
        refused = await browser.post("/auth/login/factor", json=body)
        assert refused.json()["code"] == "invalid_credentials", factor
    body = {"attempt": waits, "factor": "backup_code", "code": codes[0]}
    assert (await browser.post("/auth/login/factor", json=body)).status_code == 200


async def test_links_and_codes_from_mails_are_strangers(kit: Kit) -> None:
    """Links that reset, verify, add an address, sign in and claim, each shown where the others are redeemed."""
    browser = await kit.signed_in("anna@example.com")
    added = await browser.post("/auth/emails", json={"email": "more@example.com"})
    assert added.status_code == 202
    more = token_in(await kit.mail_to("more@example.com"))
    sign_in = await magic_link(kit, browser, "anna@example.com")
    reset = await link(kit, "anna@example.com")
    waiting = {"email": "bert@example.com", "password": PASSWORD}
    (await kit.browser().post("/auth/register", json=waiting)).raise_for_status()
    verify, code = await kit.verification("bert@example.com")
    claim = (await claims.issue(kit.engine.core)).partition("token=")[2]

    async def redeemed(token: str, where: str) -> str:
        body: dict[str, str] = {"token": token}
        if where == "/auth/password/reset":
            body["new_password"] = "another harbour seventeen lanterns"
        answered = await browser.post(where, json=body)
        return str(answered.json().get("code", "")) if answered.status_code >= 400 else "redeemed"

    places = {
        "/auth/claim": claim,
        "/auth/email/verify": verify,
        "/auth/emails/verify": more,
        "/auth/magic-link/redeem": sign_in,
        "/auth/password/reset": reset,
    }
    for where in places:
        for token in (*(other for at, other in places.items() if at != where), code):
            assert "invalid" in await redeemed(token, where), (where, token)
    for address in ("anna@example.com", "bert@example.com"):
        wrong = {"email": address, "code": reset[:6]}
        assert (await browser.post("/auth/email/verify", json=wrong)).json()["code"] == "verification_invalid"
    # And each of them is still good for what it was made for.
    for where, token in places.items():
        assert await redeemed(token, where) == "redeemed", where


@given(st.sampled_from(sorted(PURPOSES)), st.binary(max_size=60), st.integers(0, 10_000), st.integers(1, 64))
def test_altered_bytes_never_open(ring: Keyring, name: str, plain: bytes, place: int, shift: int) -> None:
    """One character exchanged, left out or put in, anywhere: neither a sealed value nor a MAC is accepted."""
    wanted = PURPOSES[name]
    sealed, mac = ring.seal(wanted, plain, "context"), ring.mac(wanted, plain)
    assert ring.open_sealed(wanted, sealed, "context") == plain
    assert ring.check_mac(wanted, mac, plain)
    for whole in (sealed, mac):
        at = place % len(whole)
        other = ALPHABET[(ALPHABET.index(whole[at]) + shift) % len(ALPHABET)]
        for altered in (
            whole[:at] + other + whole[at + 1 :],
            whole[:at] + whole[at + 1 :],
            whole[:at] + other + whole[at:],
            whole[:at],
            whole + other,
        ):
            assert ring.open_sealed(wanted, altered, "context") is None
            assert not ring.check_mac(wanted, altered, plain)


@given(st.lists(st.text(max_size=5), max_size=3), st.lists(st.text(max_size=5), max_size=3))
def test_context_and_parts_are_unambiguous(ring: Keyring, one: list[str], two: list[str]) -> None:
    """Only the same list of parts opens or checks; moving a boundary makes another list (L22)."""
    wanted = PURPOSES["attempt"]
    assert (ring.open_sealed(wanted, ring.seal(wanted, b"x", *one), *two) == b"x") == (one == two)
    assert ring.check_mac(wanted, ring.mac(wanted, *one), *two) == (one == two)


@given(st.text(max_size=80))
def test_nonsense_is_not_ours(ring: Keyring, words: str) -> None:
    """Any text at all is answered with None or False, never with an exception."""
    for wanted in PURPOSES.values():
        assert ring.open_sealed(wanted, words) is None
        assert not ring.check_mac(wanted, words, "part")
        assert ring.open_sealed(wanted, f"{ring.current(wanted).id}.{words}") is None
