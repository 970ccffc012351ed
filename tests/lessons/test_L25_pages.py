"""L25: through the pages, `next` leads to our own pages or to a registered destination, and nowhere else."""

from pathlib import Path

import pytest

from ostiary.testing import running
from ostiary.testing.kit import PASSWORD
from tests.lessons.test_L25_open_redirect import EVIL
from tests.pages.reading import visitor

APP = "https://app.example.test/welcome?from=ostiary"
ANNA = "anna@example.com"


@pytest.mark.parametrize("given", ["/account/security", "/notes?page=2", APP])
async def test_an_allowed_way_is_gone(tmp_path: Path, given: str) -> None:
    """It stays in the form through a wrong password, and is where the sign-in ends; Chromium's policy allows it."""
    async with running(tmp_path, after_sign_in=(APP,)) as kit:
        await kit.signed_up(ANNA)
        anna = visitor(kit)
        login = await anna.open(f"/login?next={given.replace('?', '%3F')}")
        wrong = await anna.submit(login, "/login", identifier=ANNA, password="not the one")
        answer = await anna.send(wrong, "/login", identifier=ANNA, password=PASSWORD)
        assert (answer.status_code, answer.headers["location"]) == (303, given)
        targets = (
            wrong.answer.headers["content-security-policy"].partition("form-action ")[2].partition(";")[0]
        )
        assert targets == ("'self' https://app.example.test" if given == APP else "'self'")


async def test_every_other_way_ends_at_the_account(tmp_path: Path) -> None:
    """By address and by form, at sign-in and sign-up, signed in or not: a corpus of tricks."""
    tricks = [raw for raw in EVIL if raw and "\ud800" not in raw and "\0" not in raw]
    assert len(tricks) > 60
    async with running(
        tmp_path, signin_failures_per_network="1000/1h", register_per_network="1000/1h"
    ) as kit:
        await kit.signed_up(ANNA)
        anna, outside = visitor(kit), visitor(kit)
        login = await anna.open("/login")
        answer = await anna.send(login, "/login", identifier=ANNA, password=PASSWORD)
        assert answer.headers["location"] == "/account"
        for raw in tricks:
            for path in ("/login", "/signup"):
                answer = await anna.browser.get(path, params={"next": raw})
                assert (answer.status_code, answer.headers["location"]) == (303, "/account"), raw
                answer = await outside.browser.get(path, params={"next": raw})
                assert answer.status_code == 200
                assert 'name="next"' not in answer.text, raw
            assert "next=" not in answer.text, raw


async def test_a_form_cannot_lead_astray(tmp_path: Path) -> None:
    """A `next` that stands in the form alone is judged as well."""
    async with running(tmp_path, sessions_per_account=50) as kit:
        await kit.signed_up(ANNA)
        for raw in ("//evil.example", "https://evil.example/", "/\\evil.example", "/%2f/evil.example"):
            body = {"identifier": ANNA, "password": PASSWORD, "next": raw}
            answer = await kit.browser().post("/login", data=body)
            assert (answer.status_code, answer.headers["location"]) == (303, "/account")
