"""The pages of API keys: made and shown once, listed, rotated, revoked; mistakes are told beside their fields."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from ostiary.testing import Kit
from tests.core.signin.stage import account_id
from tests.features.api_keys.stage import ANNA, give, keyed, resolve
from tests.pages.reading import Page
from tests.pages.test_account import signed_in
from tests.support.secrets import nothing_leaks

KEYS, NEW = "/account/api-keys", "/account/api-keys/new"


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine with roles; at the end no key stands in database, log or mails."""
    async with keyed(tmp_path, database=database_url) as kit:
        with nothing_leaks(kit):
            yield kit


def key_on(page: Page) -> str:
    """The key that a page shows."""
    found = re.search(r"ost_live_\w+", page.tree.one(id="api-key").text)
    assert found is not None
    return found[0]


async def test_from_the_first_key_to_none(kit: Kit) -> None:
    """A key is made with less than its owner has, shown once, works, is rotated with an overlap, and revoked."""
    await kit.signed_up(ANNA)
    await give(kit, await account_id(kit, ANNA), "editor")
    anna = await signed_in(kit)
    assert "You have no API keys." in (await anna.open(KEYS)).text
    new = await anna.open(NEW)
    assert "notes:*" in new.text
    assert new.tree.one("input", name="days").attributes["value"] == "90"
    made = await anna.submit(
        new,
        NEW,
        name="Deploy",
        scopes="notes:read, notes:write",
        networks="192.0.2.0/24\n2001:db8::1",
        days="30",
    )
    assert (made.status, made.heading) == (200, "Your new API key")
    assert "no-store" in made.answer.headers["cache-control"]
    first = await resolve(kit, key_on(made))
    assert first.key.scopes == ("notes:read", "notes:write")
    assert first.key.networks == ("192.0.2.0/24", "2001:db8::1/128")
    assert first.key.expires_at is not None
    assert timedelta(days=29) < first.key.expires_at - kit.clock.now() <= timedelta(days=30)
    listed = await anna.open(KEYS)
    assert key_on(made) not in listed.answer.text
    assert f"{first.key.shown}_…" in listed.text
    assert "Last used just now" in listed.text

    ask = await anna.open(f"{KEYS}/{first.key.id}/rotate")
    assert "goes on to work for 1 day" in ask.text
    rotated = await anna.submit(ask, f"{KEYS}/{first.key.id}/rotate")
    second = await resolve(kit, key_on(rotated))
    assert (await resolve(kit, key_on(made))).key.rotated_to == second.key.id
    assert (await anna.open(f"{KEYS}/{first.key.id}/rotate")).status == 404
    assert "Rotated" in (await anna.open(KEYS)).text

    for key_id in (first.key.id, second.key.id):
        ask = await anna.open(f"{KEYS}/{key_id}/revoke")
        assert ask.heading == "Revoke this key?"
        after = await anna.submit(ask, f"{KEYS}/{key_id}/revoke")
        assert "The key is revoked." in after.text
    assert "You have no API keys." in (await anna.open(KEYS)).text
    await kit.mail_to(ANNA, count=5)
    told = {mail["subject"] for mail in kit.mailbox.messages() if mail["to"] == ANNA}
    assert told >= {
        "A new API key for your ostiary account", "An API key of your ostiary account was rotated",
        "An API key of your ostiary account was revoked",
    }  # fmt: skip
    activity = (await anna.open("/account/activity")).text
    assert "The API key “Deploy” was made." in activity
    assert "The API key “Deploy” was revoked." in activity


async def test_what_does_not_do_is_said_at_its_field(kit: Kit) -> None:
    """Each mistake stands beside its field, what was typed stays, and no key is made."""
    await kit.signed_up(ANNA)
    anna = await signed_in(kit)
    new = await anna.open(NEW)
    assert "You may give: drafts:edit." in new.text
    for status, field, typed in (
        (422, "name", {"name": " "}), (422, "name", {"name": "a\u202eb"}), (422, "scopes", {"scopes": "all of it"}),
        (403, "scopes", {"scopes": "users:read"}), (422, "networks", {"networks": "everywhere"}),
        (422, "days", {"days": "soon"}), (422, "days", {"days": "366"}), (422, "days", {"days": "0"}),
        (422, "days", {"days": "٣"}),
    ):  # fmt: skip
        refused = await anna.submit(new, NEW, **{"name": "Deploy", "days": "1", **typed})
        assert refused.status == status, typed
        assert refused.tree.one(id=f"{field}-problem").text
        kept = {
            one.attributes["name"]: one.attributes["value"] for one in refused.tree.all("input", type="text")
        }
        assert kept[field] == typed[field]
    assert "You have no API keys." in (await anna.open(KEYS)).text
    endless = await anna.submit(new, NEW, name="Deploy", days="")
    assert (await resolve(kit, key_on(endless))).key.expires_at is not None, (
        "an empty field is the longest life"
    )
    kit.clock.turn(timedelta(minutes=16))
    assert (await anna.open(NEW)).answer.url.path == "/login", "an old sign-in is asked for again"
