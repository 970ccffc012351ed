"""The page about Django shows every name, and what it shows is a project that works."""

import re
from pathlib import Path

from ostiary.integrations import django
from tests.docs.markdown import blocks
from tests.docs.test_readme import shell
from tests.support.tree import ROOT

PAGE = (ROOT / "docs" / "integrations" / "django.md").read_text("utf-8")

_VISIT = """
import asyncio, re
import django, httpx2
from asgi import application
import api, auth, headers_settings, rest_settings, tasks, views, wsgi

from django.core.management import call_command
from ostiary.integrations.django import configured

async def main():
    call_command("check", fail_level="WARNING")
    transport = httpx2.ASGITransport(application)
    body = {"email": "mira@example.com", "password": "quiet harbour seventeen lanterns"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        print((await client.get("/me")).status_code)
        assert (await client.post("/auth/register", json=body)).status_code == 202
        while not (mails := configured().engine.mailbox.messages()):
            await asyncio.sleep(0.05)
        token = re.search(r"token=([\\w-]+)", mails[0]["text"])[1]
        assert (await client.post("/auth/email/verify", json={"token": token})).status_code == 200
        await client.post("/auth/login", json={"identifier": body["email"], "password": body["password"]})
        print((await client.get("/me")).json())
        print((await client.get("/me-too")).json())
    await configured().stop()

asyncio.run(main())
with httpx2.Client(transport=httpx2.WSGITransport(wsgi.application), base_url="http://127.0.0.1:8000") as client:
    print(client.get("/me").status_code, client.get("/me-too").status_code, client.get("/login").status_code)
"""


def test_the_page_about_django_works_and_leaves_no_name_out(tmp_path: Path) -> None:
    """What is written is a project that passes its checks: 401, sign up, sign in, hello twice."""
    shown = {block.splitlines()[0][2:]: block for block in blocks(PAGE, "python")}
    for file, block in shown.items():
        (tmp_path / file).write_text(block)
    (tmp_path / "visit.py").write_text(_VISIT)
    said = shell("python -W error visit.py", tmp_path).splitlines()
    hello = "{'hello': 'mira@example.com'}"
    assert said == ["System check identified no issues (0 silenced).", "401", hello, hello, "401 401 200"]
    missing = [name for name in django.__all__ if not re.search(rf"\b{name}\b", PAGE)]
    assert missing == []
