"""The notes example in a real browser: the whole way from its welcome page to a deleted note, and a stranger's view."""

from pathlib import Path

from tests.browser.person import Person, account, sitting
from tests.examples.notes import serving_notes
from tests.support.chromium import chromium
from tests.support.server import Server, mail_to


async def _arrive(person: Person, server: Server, email: str) -> None:
    """From the welcome page through ostiary's pages to the notes."""
    await person.open("/")
    await person.press("sign up", role="link")
    assert person.path == "/signup"
    await person.fill("E-mail address", email)
    await person.fill("Password", "quiet harbour seventeen lanterns")
    await person.press("Create account")
    mail = await mail_to(server, email)
    await person.open(mail["links"][0])
    await person.press("Confirm my address")
    await person.open("/notes")
    assert (person.path, person.page.url.partition("?")[2]) == ("/login", "next=/notes")
    await person.sign_in(email)
    assert (person.path, await person.heading()) == ("/notes", "My notes")


async def test_a_note_is_written_and_deleted_by_clicking(tmp_path: Path) -> None:
    """Sign up, prove the address, sign in, write, reload, delete, sign out; nobody else sees the note meanwhile."""
    async with (
        serving_notes(tmp_path) as server,
        chromium() as browser,
        sitting(browser, server.url) as anna,
        sitting(browser, server.url) as ben,
    ):
        await _arrive(anna, server, "anna@example.com")
        await anna.fill("Title", "<script>alert(1)</script>")
        await anna.fill("Text", "two pints")
        await anna.press("Write")
        await anna.page.reload()
        assert "<script>alert(1)</script>" in await anna.text()

        await account(server, "ben@example.com")
        await ben.open("/login?next=/notes")
        await ben.sign_in("ben@example.com")
        assert ben.path == "/notes"
        assert "No notes yet." in await ben.text()

        await anna.press("Delete")
        assert "No notes yet." in await anna.text()
        await anna.press("Sign out")
        assert anna.path == "/"
        await anna.open("/notes")
        assert anna.path == "/login"
