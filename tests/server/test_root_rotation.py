"""The root secret is replaced as the documentation says, process by process, and nobody notices."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.core.mail.servers import MailServer
from tests.server.conftest import arrived, token_of
from tests.support.server import PROGRAM, Server, environment, production, serving

ANNA = "anna@example.com"
PASSWORD = "quiet harbour seventeen lanterns"
CREDENTIALS = {"identifier": ANNA, "password": PASSWORD}
THROUGH = {"x-forwarded-proto": "https"}


def command(*arguments: str, **settings: object) -> "subprocess.CompletedProcess[str]":
    """Run a command of the program to its end."""
    return subprocess.run(
        [PROGRAM, *arguments], env=environment(**settings), capture_output=True, text=True, check=False
    )


async def signed_in(server: Server, sink: MailServer) -> str:
    """A new account, signed in; its Cookie header."""
    async with server.client(headers=THROUGH) as browser:
        await browser.post("/auth/register", json={"email": ANNA, "password": PASSWORD})
        token = token_of((await arrived(sink, ANNA))[0])
        assert (await browser.post("/auth/email/verify", json={"token": token})).status_code == 200
        answer = await browser.post("/auth/login", json=CREDENTIALS)
        assert answer.status_code == 200
        cookies = [header.partition(";")[0] for header in answer.headers.get_list("set-cookie")]
        return next(pair for pair in cookies if pair.startswith("__Host-ostiary="))


async def is_known(server: Server, cookie: str) -> bool:
    """Whether a server takes a session cookie, and still makes and checks CSRF tokens."""
    async with server.client(headers=THROUGH | {"cookie": cookie}) as client:
        answer = await client.get("/auth/session")
        csrf = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
        both = {"cookie": f"{cookie}; __Host-ostiary-csrf={csrf}", "x-csrf-token": csrf}
        ended = await client.post("/auth/sessions/revoke-others", headers=both)
        return answer.status_code == ended.status_code == 200


@pytest.mark.slow
async def test_the_documented_procedure(postgres_url: str, tmp_path: Path, sink: MailServer) -> None:
    """One of two processes always answers; sessions and passwords survive; then the old root opens nothing."""
    old, new = os.urandom(32).hex(), os.urandom(32).hex()
    given = production(sink.port) | {"database": postgres_url, "trusted_proxies": 1}
    first, both, last = (
        given | {"root_secret": old},
        given | {"root_secret": new, "root_secret_previous": old},
        given | {"root_secret": new},
    )
    assert command("migrate", **first).returncode == 0
    async with serving(tmp_path, **first) as one, serving(tmp_path, **first) as two:
        cookie = await signed_in(one, sink)
        assert await is_known(two, cookie)
        # 1. Restart each process with the new root secret, and the old one as the previous one.
        assert await one.stop() == 0
        async with serving(tmp_path, **both) as one:
            assert await is_known(one, cookie)
            assert await is_known(two, cookie)
            assert await two.stop() == 0
            async with serving(tmp_path, **both) as two:
                # 2. Seal the keys anew; the processes go on.
                assert "sealed by root_secret now" in command("keys", "reseal", **both).stdout
                assert await is_known(one, cookie)
                assert await is_known(two, cookie)
                # 3. Restart each process without the old root secret.
                assert await one.stop() == 0
                async with serving(tmp_path, **last) as one:
                    assert await is_known(one, cookie)
                    assert await is_known(two, cookie)
                    async with one.client(headers=THROUGH) as browser:
                        answer = await browser.post("/auth/login", json=CREDENTIALS)
                        assert answer.json()["status"] == "complete"
    refused = command("keys", "list", **first)
    assert refused.returncode == 2
    assert "root_secret does not belong to this database" in refused.stderr
