"""L08: whatever Host and X-Forwarded-* say, no page, redirect or mail of the pages names anybody else."""

from pathlib import Path

import pytest

from ostiary.testing import running
from ostiary.testing.kit import PASSWORD
from tests.pages.reading import Page, visitor

EVIL = {
    "host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-server": "evil.example",
    "forwarded": "host=evil.example;proto=https", "x-original-url": "https://evil.example/",
}  # fmt: skip


@pytest.mark.parametrize("proxies", [0, 1])
async def test_forged_hosts_change_no_link(tmp_path: Path, proxies: int) -> None:
    """Signing up, proving and signing in with forged headers on every request."""
    async with running(tmp_path, trusted_proxies=proxies) as kit:
        anna = visitor(kit, headers=EVIL | ({"x-forwarded-proto": "https"} if proxies else {}))
        seen: list[Page] = [await anna.open("/signup")]
        seen.append(await anna.submit(seen[-1], "/signup", email="anna@example.com", password=PASSWORD))
        mail = await kit.mail_to("anna@example.com")
        assert all(link.startswith("https://auth.example.test/") for link in mail["links"])
        assert "evil.example" not in mail["text"] + mail.get("html", "")
        seen.append(await anna.open("/account/security"))
        for page in seen:
            assert "evil.example" not in page.answer.text
            assert "evil.example" not in str(page.answer.headers.multi_items())


@pytest.mark.parametrize("proxies", [0, 1])
async def test_forged_hosts_change_no_reset_link(tmp_path: Path, proxies: int) -> None:
    """Asking for a reset with forged headers, by the page and by the API: every link of the mails is ours."""
    forged = EVIL | ({"x-forwarded-proto": "https"} if proxies else {})
    async with running(tmp_path, trusted_proxies=proxies) as kit:
        await kit.signed_up("anna@example.com")
        anna = visitor(kit, headers=forged)
        sent = await anna.submit(await anna.open("/recover"), "/recover", email="anna@example.com")
        assert sent.answer.url.path == "/recover/sent"
        asked = await kit.browser(headers=forged).post(
            "/auth/password/forgot", json={"email": "anna@example.com"}
        )
        assert asked.status_code == 202
        assert "evil.example" not in str(asked.headers.multi_items())
        await kit.mail_to("anna@example.com", count=3)
        mails = [mail for mail in kit.mailbox.messages() if "/recover/reset" in mail["text"]]
        assert len(mails) == 2
        for mail in mails:
            assert mail["links"][0].startswith("https://auth.example.test/recover/reset?token=")
            assert "evil.example" not in mail["text"] + mail["html"] + mail["subject"]
        token = mails[-1]["links"][0].partition("?token=")[2]
        answer = await anna.browser.get(f"/recover/reset?token={token}")
        assert answer.headers["location"] == "/recover/reset"
        page = await anna.open("/recover/reset")
        assert "evil.example" not in page.answer.text + str(page.answer.headers.multi_items())
