"""Everything that is kept about an account, for its owner alone, and nothing secret among it (A9)."""

import asyncio
import base64
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pyotp

from ostiary.core.accounts.accounts import ENABLED
from ostiary.core.change import Change
from ostiary.features.export import flow
from ostiary.kernel.origin import Origin
from ostiary.storage.schema import metadata
from ostiary.testing import Browser, Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import account_id, changed, dump, journalled
from tests.pages.reading import visitor

ANNA, NEW, BERT = "anna@example.com", "anna@new.example", "bert@example.com"
EXPORT = "/auth/account/export"
CHANGED = "another harbour seventeen lanterns"
SECRET_COLUMNS = {"hash", "secret", "secret_hash", "mac", "sealed", "password_hash"}


async def exported(browser: Browser) -> dict[str, Any]:
    """The document."""
    answer = await browser.get(EXPORT)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = orjson.loads(answer.content)
    return document


def _cookie(kit: Kit, browser: Browser) -> str:
    return browser.cookies[kit.engine.app.edge.cookies.session]


async def lived_in(kit: Kit) -> tuple[Browser, list[str]]:
    """An account with something of everything, its owner's browser, and all that was secret on the way."""
    anna = await kit.signed_in(ANNA)
    secrets = [PASSWORD, CHANGED, _cookie(kit, anna)]
    body = {"current_password": PASSWORD, "new_password": CHANGED}
    (await anna.post("/auth/password/change", json=body)).raise_for_status()
    (await anna.patch("/auth/account", json={"name": "Anna", "profile": {"city": "Oslo"}})).raise_for_status()
    (await anna.post("/auth/emails", json={"email": NEW})).raise_for_status()
    secrets += await kit.verification(NEW)
    app = (await anna.post("/auth/mfa/totp")).json()
    code = pyotp.TOTP(app["secret"]).at(kit.clock.now())
    confirmed = await anna.post(f"/auth/mfa/totp/{app['id']}/confirm", json={"code": code})
    codes = confirmed.json()["backup_codes"]
    secrets += [app["secret"], *codes, *(code.replace("-", "") for code in codes)]
    secrets.append(_cookie(kit, anna))
    return anna, [part for one in secrets for part in (one, one.rpartition(".")[2])]


async def test_the_document(tmp_path: Path, database_url: str) -> None:
    """A file of every part's rows, with moments, flags and documents as JSON says them; another account has no part."""
    async with running(tmp_path, database=database_url, profile_fields="city") as kit:
        await kit.signed_in(BERT, ip="198.51.100.9")
        anna, _ = await lived_in(kit)
        answer = await anna.get(EXPORT)
        assert answer.headers["content-type"] == "application/json"
        day = kit.clock.now().strftime("%Y-%m-%d")
        assert answer.headers["content-disposition"] == f'attachment; filename="account-{day}.json"'
        assert "no-store" in answer.headers["cache-control"]
        told = orjson.loads(answer.content)
        assert told.keys() == {"format", "exported_at", *(one.name for one in kit.engine.core.kept)}
        assert told["account"] | {"created_at": "", "updated_at": ""} == {
            "id": await account_id(kit, ANNA), "status": "active", "name": "Anna", "profile": {"city": "Oslo"},
            "locale": "en", "created_at": "", "updated_at": "",
            "deletion_due_at": None,
        }  # fmt: skip
        (address,) = told["identifiers"]
        assert (address["value"], address["is_primary"]) == (ANNA, True)
        moments = [told["exported_at"], told["account"]["created_at"], address["verified_at"]]
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", moment) for moment in moments)
        assert told["password"].keys() == {"set_at", "disabled_at"}
        assert [row.keys() for row in told["earlier_passwords"]] == [{"retired_at"}]
        assert [row["value"] for row in told["waiting_emails"]] == [NEW]
        assert told["authenticator_apps"][0]["confirmed_at"]
        assert len(told["backup_codes"]) == 10
        assert told["email_code"] is None
        assert [row["amr"] for row in told["sessions"]][:1] == [["pwd"]]
        assert told["activity"][0]["type"] == "account_exported", (
            "the latest first, and this one is noted before"
        )
        assert any(row["words"] == "Signed in with password." for row in told["activity"])
        assert BERT not in answer.text
        assert "198.51.100.9" not in answer.text


async def test_nothing_secret_is_in_it(tmp_path: Path, database_url: str) -> None:
    """Neither what was issued or typed, nor what the database holds in place of it, in any writing (L14)."""
    async with running(tmp_path, database=database_url, profile_fields="city") as kit:
        anna, secrets = await lived_in(kit)
        answer = await anna.get(EXPORT)
        stored = await dump(kit)
        for table in metadata.sorted_tables:
            places = [place for place, column in enumerate(table.columns) if column.name in SECRET_COLUMNS]
            secrets += [form for row in stored[table.name] for place in places for form in forms(row[place])]
        assert len(secrets) > 40
        text = answer.text
        assert [secret for secret in secrets if secret in text] == []


def forms(value: str | bytes) -> list[str]:
    """How it could have been written down; six digits or less stand somewhere by chance."""
    if isinstance(value, str):
        return [value] if len(value) > 6 else []
    plain = base64.b64encode(value).decode()
    return [value.hex(), plain.rstrip("="), plain.rstrip("=").replace("+", "-").replace("/", "_")]


async def test_who_gets_it(kit: Kit) -> None:
    """Nobody without a session, with one that is not fresh, or by a link on another site; refusals change nothing."""
    anna = await kit.signed_in(ANNA)
    await anna.post("/auth/emails", json={"email": NEW})
    token, _ = await kit.verification(NEW)
    await anna.post("/auth/emails/verify", json={"token": token})
    before = await dump(kit, without=("outbox",))
    assert (await kit.browser().get(EXPORT)).status_code == 401
    foreign = await anna.get(EXPORT, headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "csrf_failed")
    assert await dump(kit, without=("outbox",)) == before
    await exported(anna)
    for address, count in ((ANNA, 3), (NEW, 2)):
        mail = await kit.mail_to(address, count=count)
        assert mail["subject"] == "The data of your ostiary account were downloaded"
        assert "Was it not you?" in mail["text"]
    kit.clock.turn(timedelta(minutes=16))
    stale = await anna.get(EXPORT)
    assert (stale.status_code, stale.json()["code"]) == (401, "fresh_authentication_required")
    assert (await journalled(kit)).count("account_exported") == 1


async def test_the_limit_holds_for_requests_at_once(kit: Kit) -> None:
    """Of seven together five are answered; another account is not concerned."""
    anna, bert = await kit.signed_in(ANNA), await kit.signed_in(BERT)
    answers = await asyncio.gather(*(anna.get(EXPORT) for _ in range(7)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 2
    assert (await journalled(kit)).count("account_exported") == 5
    await exported(bert)


async def test_a_long_one_comes_in_pieces(kit: Kit) -> None:
    """More rows than are read at once are all there, each once, and no piece is large."""
    anna = await kit.signed_in(ANNA)
    owner = await account_id(kit, ANNA)

    async def work(change: Change) -> None:
        for _ in range(1200):
            await change.emit(ENABLED(owner, reason="test"))

    await changed(kit, work)
    core = kit.engine.core
    who = (await core.sessions.resolve(_cookie(kit, anna))).principal
    pieces = [piece async for piece in (await flow.export(core, Origin(), who)).pieces]
    assert len(pieces) >= 10
    assert max(map(len, pieces)) < 20_000
    told = orjson.loads(b"".join(pieces))
    types = [row["type"] for row in told["activity"]]
    assert types.count("account_enabled") == 1200
    noted = [one for one in await journalled(kit) if one != "registration_requested"]
    assert len(types) == len(noted), "all but that one, which names no account"


async def test_the_page(kit: Kit) -> None:
    """A button sends the file; whoever signed in too long ago signs in again and comes back to the button."""
    await kit.signed_up(ANNA)
    anna = visitor(kit)
    await anna.submit(await anna.open("/login"), "/login", identifier=ANNA, password=PASSWORD)
    page = await anna.open("/account/export")
    assert page.heading == "Your data"
    sent = await anna.send(page, "/account/export")
    assert sent.headers["content-disposition"].startswith("attachment")
    assert sent.json()["identifiers"][0]["value"] == ANNA
    kit.clock.turn(timedelta(minutes=16))
    late = await anna.send(page, "/account/export")
    assert (late.status_code, late.headers["location"]) == (303, "/login?next=/account/export&again=1")
    back = await anna.submit(await anna.open(late.headers["location"]), "/login", password=PASSWORD)
    assert back.heading == "Your data"
