"""What a sign-in says besides yes and no."""

from pathlib import Path

import pytest

from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD

APP = "https://app.example.test/welcome"


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("/notes?page=2", "/notes?page=2"),
        (APP, APP),
        ("https://evil.example", None),
        ("//evil.example", None),
    ],
)
async def test_next_comes_back_only_where_it_is_allowed(
    tmp_path: Path, wanted: str, given: str | None
) -> None:
    """Relative paths and registered destinations come back as `redirect_to`; anything else is null (A10, L25)."""
    async with running(tmp_path, after_sign_in=(APP,)) as kit:
        browser = await kit.signed_up("anna@example.com")
        body = {"identifier": "anna@example.com", "password": PASSWORD, "next": wanted}
        assert (await browser.post("/auth/login", json=body)).json()["redirect_to"] == given


async def test_failures_name_the_support_contact(tmp_path: Path) -> None:
    """Whoever cannot get in reads whom to ask, whether or not there is such an account (A10)."""
    async with running(tmp_path, support_contact="help@example.test") as kit:
        await kit.signed_up("anna@example.com")
        for identifier in ("anna@example.com", "nobody@example.com"):
            body = {"identifier": identifier, "password": "not the right password"}
            answer = await kit.browser().post("/auth/login", json=body)
            assert (answer.status_code, answer.json()["support_contact"]) == (401, "help@example.test")


async def test_a_session_that_is_brought_along_ends(kit: Kit) -> None:
    """Signing in again from the same browser ends the session that it had (S-D1)."""
    browser = await kit.signed_in("anna@example.com")
    before = browser.cookies[kit.engine.app.edge.cookies.session]
    body = {"identifier": "anna@example.com", "password": PASSWORD}
    assert (await browser.post("/auth/login", json=body)).status_code == 200
    other = kit.browser(cookies={kit.engine.app.edge.cookies.session: before})
    assert (await other.get("/auth/session")).json()["code"] == "session_ended"


async def test_one_object_is_written_one_way(kit: Kit) -> None:
    """User and session are the same, down to the form of the moments, in the sign-in's answer and in "who am I"."""
    browser = await kit.signed_up("anna@example.com")
    body = {"identifier": "anna@example.com", "password": PASSWORD}
    answer = (await browser.post("/auth/login", json=body)).json()
    who = (await browser.get("/auth/session")).json()
    assert {name: answer[name] for name in ("user", "session")} == {
        name: who[name] for name in ("user", "session")
    }
    assert who["principal"]["auth_time"].endswith("Z")
