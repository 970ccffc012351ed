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
