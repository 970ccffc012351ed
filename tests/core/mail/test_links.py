"""Every link that a mail shows leads somewhere."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD

ANNA = "anna@example.com"


async def _links_answer(kit: Kit) -> int:
    browser = kit.browser()
    links = [
        link for mail in kit.mailbox.messages() for link in re.findall(r"https?://[^\s\"<>]+", mail["text"])
    ]
    for link in links:
        parts = urlsplit(link)
        answer = await browser.get(f"{parts.path}?{parts.query}")
        assert answer.status_code in {200, 303}, (link, answer.status_code)
    return len(links)


@pytest.mark.parametrize("contact", [None, "help@example.test"])
async def test_no_mail_links_to_nothing(tmp_path: Path, contact: str | None) -> None:
    """The mails of signing up, of signing up again and of a lock link only to pages that this engine has."""
    async with running(tmp_path, support_contact=contact) as kit:
        browser = await kit.signed_up(ANNA)
        await browser.post("/auth/register", json={"email": ANNA, "password": PASSWORD})
        await kit.mail_to(ANNA, count=2)
        for _ in range(5):
            await kit.browser().post("/auth/login", json={"identifier": ANNA, "password": "certainly wrong"})
        await kit.mail_to(ANNA, count=3)
        assert await _links_answer(kit) >= 2
