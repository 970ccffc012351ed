"""In development every kind of mail can be looked at, in every language and form; elsewhere there is no such page."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.mail.test_overrides import written
from tests.pages.reading import read

HERE = "http://127.0.0.1:8000"
LOOPBACK = "127.0.0.1"


@pytest.fixture
async def development(tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine as `--dev` makes it."""
    async with running(tmp_path, dev=True, base_url=HERE) as kit:
        yield kit


def links(answer: httpx2.Response) -> list[str]:
    """Return where a page leads."""
    return [link.attributes["href"] for link in read(answer.text).all("a")]


async def test_every_mail_is_listed_in_each_language_and_form(development: Kit) -> None:
    """Two links for each, and every one of them leads to what the engine would send."""
    composer = development.engine.composer
    browser = development.browser(LOOPBACK)
    listed = await browser.get("/dev/mails")
    assert listed.status_code == 200
    for path, mail in composer.mails.items():
        assert path in listed.text
        for language in composer.languages:
            said = composer.preview(mail.name, language)
            text = await browser.get(f"/dev/mails/{language}/{path}")
            html = await browser.get(f"/dev/mails/{language}/{path}/html")
            page = read(text.text)
            assert page.one("h1").text == said.subject
            assert page.one("h1").attributes["lang"] == language
            assert " ".join(said.text.split()) == page.one("pre").text
            assert {row.text for row in page.all("th")} == set(mail.example)
            assert html.text == said.html
            assert {f"/dev/mails/{language}/{path}", f"/dev/mails/{language}/{path}/html"} <= set(
                links(listed)
            )
    for link in links(listed):
        assert (await browser.get(link)).status_code == 200, link


async def test_a_mail_is_shown_without_what_it_could_do(development: Kit) -> None:
    """Its own styles count, as in a mail program; scripts, forms, pictures and frames do not."""
    browser = development.browser(LOOPBACK)
    html = await browser.get("/dev/mails/en/core/test_mail/html")
    policy = html.headers["content-security-policy"]
    assert policy.startswith(
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert policy.endswith("; style-src 'unsafe-inline'; sandbox")
    for path in ("/dev/mails", "/dev/mails/en/core/test_mail", "/dev/mailbox", "/login"):
        assert "unsafe" not in (await browser.get(path)).headers["content-security-policy"], path


async def test_the_mailbox_shows_a_mail_as_it_was_sent(development: Kit) -> None:
    """Each mail in the mailbox leads to its HTML form."""
    body = {"email": "anna@example.com", "password": PASSWORD}
    await development.browser(LOOPBACK).post("/auth/register", json=body)
    mail = await development.mail_to("anna@example.com")
    browser = development.browser(LOOPBACK)
    assert f"/dev/mailbox/{mail['id']}" in links(await browser.get("/dev/mailbox"))
    shown = await browser.get(f"/dev/mailbox/{mail['id']}")
    assert shown.text == mail["html"]
    assert "sandbox" in shown.headers["content-security-policy"]
    assert (await browser.get("/dev/mailbox/nothing")).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/dev/mails/fr/core/test_mail", "/dev/mails/en/core/nothing", "/dev/mails/en/nothing/test_mail/html",
     "/dev/mails/en/core", "/dev/mails/..%2f..%2fetc/core/test_mail", "/dev/mails/en/core/test_mail/txt"],
)  # fmt: skip
async def test_what_is_not_there_is_not_found(development: Kit, path: str) -> None:
    """Another language, another mail, another form."""
    assert (await development.browser(LOOPBACK).get(path)).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/dev/mails", "/dev/mails/en/core/test_mail", "/dev/mails/en/core/test_mail/html", "/dev/mailbox/x"],
)
async def test_only_this_machine_looks(development: Kit, path: str) -> None:
    """Neither from elsewhere nor under a foreign name, as a page would ask whose name was made to lead here."""
    assert (await development.browser("192.0.2.7").get(path)).status_code == 404
    rebound = await development.browser(LOOPBACK).get(path, headers={"host": "evil.example:8000"})
    assert rebound.status_code == 404


async def test_production_has_no_previews(tmp_path: Path) -> None:
    """Nor has development whose mails really leave."""
    async with running(tmp_path) as kit:
        assert not [route for route in kit.engine.app.declared if route.path.startswith("/dev/")]
        for path in ("/dev/mails", "/dev/mails/en/core/test_mail", "/dev/mails/en/core/test_mail/html"):
            assert (await kit.browser(LOOPBACK).get(path, headers={"host": "127.0.0.1"})).status_code in {
                308,
                404,
            }


async def test_an_operators_template_is_shown(tmp_path: Path) -> None:
    """The preview is what would be sent, with the templates that replace ours."""
    folder = tmp_path / "mails"
    folder.mkdir()
    written(folder, {"core/test_mail.de.txt": "EIGENES <b>{{ site_name }}</b>"})
    async with running(
        tmp_path, dev=True, base_url=HERE, mail_templates=folder, site_name="<i>Acme</i>"
    ) as kit:
        browser = kit.browser(LOOPBACK)
        shown = await browser.get("/dev/mails/de/core/test_mail")
        assert "EIGENES &lt;b&gt;&lt;i&gt;Acme&lt;/i&gt;&lt;/b&gt;" in shown.text
        assert "EIGENES" not in (await browser.get("/dev/mails/en/core/test_mail")).text
        assert not re.search(r"<[bi]>", (await browser.get("/dev/mails")).text)
