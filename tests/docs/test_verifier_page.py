"""The examples of docs/verifier.md run as they stand, against an issuer on a real port."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from ostiary.verifier import AccessToken, Verifier
from tests.docs.markdown import blocks
from tests.support.ports import free_port
from tests.support.tree import ROOT
from tests.verifier.issuer import Issuer, serving, serving_in_a_thread

PAGE = (ROOT / "docs" / "verifier.md").read_text("utf-8")
SHOWN = {block.splitlines()[0][2:]: block for block in blocks(PAGE, "python")}


async def test_the_fastapi_service_answers(tmp_path: Path) -> None:
    """The service says whose notes they are, and 401 and 403 as the page says, while a session ends."""
    (tmp_path / "api.py").write_text(SHOWN["api.py"])
    port = free_port()
    async with serving() as issuer:
        command = [sys.executable, "-W", "error", "-m", "uvicorn", "api:app", "--port", str(port)]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=tmp_path, env=os.environ | {"ISSUER": issuer.url}, stderr=subprocess.DEVNULL
        )
        try:
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
                await _answers(client)
                await _visit(client, issuer)
        finally:
            process.terminate()
            await process.wait()


async def _answers(client: httpx2.AsyncClient) -> None:
    for _ in range(400):
        try:
            assert (await client.get("/healthz")).json() == {"issuer": "following", "trouble": ""}
        except httpx2.TransportError:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError("the service does not answer")


async def _visit(client: httpx2.AsyncClient, issuer: Issuer) -> None:
    def bearer(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    token = issuer.token()
    assert (await client.get("/notes", headers=bearer(token))).json() == {
        "of": "account-1",
        "roles": ["editor"],
    }
    assert (await client.get("/notes", headers=bearer(issuer.token(scope="")))).status_code == 403
    refused = await client.get("/notes", headers=bearer(issuer.token(aud="https://other.example")))
    assert (refused.status_code, refused.json()["code"]) == (401, "token_invalid")
    assert refused.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    late = await client.delete("/notes", headers=bearer(token))
    assert (late.status_code, late.json()["code"]) == (401, "fresh_authentication_required")
    asked = 'Bearer error="insufficient_user_authentication", max_age="900"'
    assert late.headers["WWW-Authenticate"] == asked
    fresh = issuer.token(auth_time=issuer.now())
    assert (await client.delete("/notes", headers=bearer(fresh))).json() == {"cleared": True}
    issuer.end_session()
    answer = await client.get("/notes", headers=bearer(token))
    for _ in range(1000):
        if answer.status_code == 401:
            break
        await asyncio.sleep(0.005)
        answer = await client.get("/notes", headers=bearer(token))
    assert answer.json()["code"] == "session_ended"


def test_the_worker_answers(tmp_path: Path) -> None:
    """The worker prints a line for each token that it reads."""
    (tmp_path / "worker.py").write_text(SHOWN["worker.py"])
    with serving_in_a_thread() as issuer:
        done = subprocess.run(
            [sys.executable, "-W", "error", "worker.py"],
            input=f"{issuer.token()}\n{issuer.token(exp=issuer.now() - 100)}\nnonsense\n",
            env=os.environ | {"ISSUER": issuer.url}, cwd=tmp_path, capture_output=True, text=True, timeout=60,
            check=True,
        )  # fmt: skip
    first, *others = done.stdout.splitlines()
    assert first.startswith("account-1 ['notes:read'] 20")
    assert others == ["token_expired", "token_invalid"]


@pytest.mark.parametrize(
    "name", ["issuer", "audience", "leeway", "tolerated_staleness", "keys_url", "feed_url", "remembered"]
)
def test_every_argument_is_on_the_page(name: str) -> None:
    """Whoever looks for a setting finds it, and its name is right."""
    assert f"`{name}`" in PAGE
    assert name in Verifier.__init__.__annotations__


def test_every_field_of_a_token_is_on_the_page() -> None:
    """What `verify` gives is listed."""
    fields = set(AccessToken.__dataclass_fields__) - {"id", "audience", "kid"}
    assert [field for field in fields if f"`{field}`" not in PAGE] == []
