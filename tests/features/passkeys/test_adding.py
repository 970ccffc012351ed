"""Passkeys are added after a fresh sign-in that shows everything, each once, and their owner is told."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ostiary.kernel.errors import Misuse
from ostiary.testing import Kit, running
from ostiary.testing.authenticator import Amiss, SoftwareAuthenticator, decode, encode
from ostiary.testing.kit import BASE_URL, PASSWORD
from ostiary.testing.passkeys import add_passkey, options_for, sign_in
from tests.core.signin.stage import dump, journalled
from tests.security.stage import drained

ANNA = "anna@example.com"
BITWARDEN = bytes.fromhex("d548826e79b4db40a3d811116f7e8349")
NEW = "/auth/passkeys/register/options"
# What is counted or noted whoever asks.
MOVING = ("throttle", "journal", "session", "outbox")


async def test_a_life(kit: Kit) -> None:
    """From the first one with backup codes to the last one that takes them away; all that is known is listed."""
    anna = await kit.signed_in(ANNA)
    assert (await anna.get("/auth/passkeys")).json() == {"passkeys": []}
    phone = SoftwareAuthenticator(may_be_synced=True, counts=False, aaguid=BITWARDEN)
    added = await add_passkey(kit, anna, phone)
    assert added.status_code == 200, added.text
    first = added.json()["passkey"]
    assert (first["name"], first["provider"]) == ("", "Bitwarden")
    assert (first["may_be_synced"], first["synced"], first["may_sign_in_alone"]) == (True, True, True)
    assert first["last_used_at"] is None
    assert len(added.json()["backup_codes"]) == 10
    shown = (await anna.get("/auth/session")).json()["session"]
    assert (shown["amr"], shown["acr"]) == (["pwd", "swk", "mfa"], "2"), "the session rose"
    mail = await kit.mail_to(ANNA, count=2)
    assert "Bitwarden" in mail["text"]

    options = await options_for(anna, NEW)
    assert [decode(one["id"]) for one in options["excludeCredentials"]] == [phone.credentials[0].id]
    assert decode(options["user"]["id"]) == phone.credentials[0].user_handle
    assert len(phone.credentials[0].user_handle) == 64
    assert ANNA not in str(phone.credentials[0].user_handle)
    key = SoftwareAuthenticator(verifies=False, is_discoverable=False)
    second = (await add_passkey(kit, anna, key, "Key ring")).json()
    assert (second["passkey"]["name"], second["backup_codes"]) == ("Key ring", [])
    assert (second["passkey"]["may_be_synced"], second["passkey"]["may_sign_in_alone"]) == (False, False)

    path = f"/auth/passkeys/{second['passkey']['id']}"
    assert (await anna.patch(path, json={"name": " Safe "})).json()["name"] == "Safe"
    for wrong in ("a\nb", "x" * 61):
        assert (await anna.patch(path, json={"name": wrong})).status_code == 422
    listed = (await anna.get("/auth/passkeys")).json()["passkeys"]
    assert [one["name"] for one in listed] == ["", "Safe"]
    factors = (await anna.get("/auth/mfa")).json()["factors"]
    assert [one["name"] for one in factors] == ["Bitwarden", "Safe", ""]

    kit.clock.turn(timedelta(minutes=16))
    stale = [
        await anna.post(NEW),
        await anna.post("/auth/passkeys/register", json={"response": {}}),
        await anna.delete(path),
    ]
    assert {one.json()["code"] for one in stale} == {"fresh_authentication_required"}
    assert (await sign_in(kit, anna, phone)).status_code == 200
    assert (await anna.delete(path)).status_code == 204
    assert (await anna.delete(path)).status_code == 404
    assert (await anna.delete(f"/auth/passkeys/{first['id']}")).status_code == 204
    left = (await anna.get("/auth/mfa")).json()
    assert (left["enabled"], left["factors"]) == (False, []), "the codes went along"
    again = await kit.browser().post("/auth/login", json={"identifier": ANNA, "password": PASSWORD})
    assert again.json()["status"] == "complete", "the password is enough again"
    journal = await journalled(kit)
    assert [journal.count(f"factor_{one}") for one in ("added", "removed")] == [2, 2]
    assert journal.count("passkey_renamed") == 1


async def test_what_is_refused_changes_nothing(kit: Kit) -> None:
    """Elsewhere, too late, twice, by another session, somebody's, without all factors: refused, nothing stored."""
    anna, bert = await kit.signed_in(ANNA), await kit.signed_in("bert@example.com")
    (await add_passkey(kit, bert, theirs := SoftwareAuthenticator())).raise_for_status()
    other = await kit.sign_in(ANNA)
    await drained(kit)
    before = await dump(kit, without=MOVING)

    async def refused(answered: httpx2.Response, code: str) -> None:
        assert answered.json()["code"] == code, answered.text
        assert await dump(kit, without=MOVING) == before

    elsewhere = {"origin": "https://evil.example"}
    for amiss in (
        Amiss(says=elsewhere),
        Amiss(says={"crossOrigin": True}),
        Amiss(rp_id="evil.example"),
        Amiss(says={"challenge": encode(bytes(32))}),
        Amiss(sends={"response": None}),
    ):
        await refused(await add_passkey(kit, anna, SoftwareAuthenticator(), amiss=amiss), "passkey_refused")
    taken = Amiss(credential_id=theirs.credentials[0].id)
    await refused(await add_passkey(kit, anna, SoftwareAuthenticator(), amiss=taken), "passkey_known")
    made = SoftwareAuthenticator().create(await options_for(anna, NEW), kit.base_url)
    for stranger in (other, bert):  # another session of the account, and another account
        answered = await stranger.post("/auth/passkeys/register", json={"response": made})
        await refused(answered, "passkey_refused")
    signed_in = SoftwareAuthenticator().create(
        {**await options_for(anna, NEW), **await options_for(anna, "/auth/passkeys/login/options")},
        kit.base_url,
    )
    answered = await anna.post("/auth/passkeys/register", json={"response": signed_in})
    await refused(answered, "passkey_refused")  # a challenge for signing in
    kit.clock.turn(timedelta(minutes=5, seconds=1))
    await refused(await anna.post("/auth/passkeys/register", json={"response": made}), "passkey_refused")

    once = SoftwareAuthenticator().create(await options_for(anna, NEW), kit.base_url)
    late = SoftwareAuthenticator().create(await options_for(other, NEW), kit.base_url)
    assert (await anna.post("/auth/passkeys/register", json={"response": once})).status_code == 200
    await drained(kit)
    before = await dump(kit, without=MOVING)
    await refused(await anna.post("/auth/passkeys/register", json={"response": once}), "passkey_refused")
    # It was fresh when it began, but the account has a factor by now that it has not shown (S-A21).
    answered = await other.post("/auth/passkeys/register", json={"response": late})
    await refused(answered, "fresh_authentication_required")
    assert (await journalled(kit)).count("passkey_enrolment_failed") == 11


async def test_settings(tmp_path: Path) -> None:
    """The domain, further origins, the longest list, and settings that make no sense."""
    front_end = "https://app.example.test"
    wide: dict[str, Any] = {
        "passkey_domain": "example.test",
        "passkey_origins": (front_end,),
        "passkeys_per_account": 1,
    }
    async with running(tmp_path, **wide) as kit:
        anna = await kit.signed_in(ANNA)
        options = await options_for(anna, NEW)
        assert options["rp"]["id"] == "example.test"
        made = SoftwareAuthenticator().create(options, front_end)
        assert (await anna.post("/auth/passkeys/register", json={"response": made})).status_code == 200
        assert (await anna.post(NEW)).json()["code"] == "passkey_limit"
    mistakes: tuple[dict[str, Any], ...] = (
        {"passkey_domain": "other.test"},
        {"passkey_domain": "xample.test"},
        {"passkey_domain": "https://example.test"},
        {"passkey_origins": (f"{BASE_URL}/",)},
        {"passkey_origins": ("http://app.example.test",)},
        {"passkey_frames": ("*",)},
        {"passkeys_per_account": 0},
        {"passkey_challenge_lifetime": "6m"},
    )
    for wrong in mistakes:
        with pytest.raises(Misuse, match="passkey"):
            async with running(tmp_path, **wrong):
                pass
