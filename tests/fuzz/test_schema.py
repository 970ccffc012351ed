"""Schemathesis against a real server: whatever is sent, nothing answers 5xx and every refusal has a code."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.support.server import Server, serving

LIMITS = (
    "register_per_network",
    "register_per_address",
    "resend_per_network",
    "resend_per_address",
    "signin_failures_per_network",
    "factor_failures_per_network",
    "verify_failures_per_network",
    "verify_failures_per_address",
)
GENEROUS: dict[str, Any] = dict.fromkeys(LIMITS, "1000000/1h")
EMAIL, PASSWORD = "fuzz@example.com", "quiet harbour seventeen lanterns"


@pytest.fixture
async def server(tmp_path: Path, database_url: str) -> AsyncIterator[Server]:
    """A server without rate limits, so that every case reaches the code behind them."""
    given = GENEROUS | {"database": database_url, "outbox_poll": "100ms", "delay_limit": "1ms"}
    async with serving(tmp_path, "--dev", "--data", str(tmp_path / "data"), **given) as server:
        yield server


async def _token(client: httpx2.AsyncClient) -> str:
    for _ in range(200):
        for mail in (await client.get("/dev/mailbox.json")).json():
            found = re.search(r"token=([\w-]+)", mail["text"])
            if mail["to"] == EMAIL and found is not None:
                return found[1]
        await asyncio.sleep(0.05)
    raise AssertionError("no mail came")


async def _cookies(server: Server) -> tuple[dict[str, str], dict[str, str]]:
    async with server.client() as client:
        body = {"email": EMAIL, "password": PASSWORD}
        assert (await client.post("/auth/register", json=body)).status_code == 202
        token = await _token(client)
        assert (await client.post("/auth/email/verify", json={"token": token})).status_code == 200
        login = {"identifier": EMAIL, "password": PASSWORD}
        assert (await client.post("/auth/login", json=login)).status_code == 200
        return dict(client.cookies), {"x-csrf-token": client.cookies["ostiary-csrf"]}


def _storm(
    server: Server, cookies: dict[str, str], headers: dict[str, str], examples: int, without: str = ""
) -> set[int]:
    """Call every operation with generated cases; returns the statuses that came."""
    schema = schemathesis.openapi.from_url(f"{server.url}/auth/openapi.json")
    seen: set[int] = set()
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]  # an invalid document raises here, as it should
        if operation.path == without:
            continue

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def run(case: Any) -> None:
            answer = case.call(headers=headers, cookies=cookies)
            seen.add(answer.status_code)
            assert answer.status_code < 500, (case.as_curl_command(), answer.status_code, answer.content)
            if answer.status_code >= 400:
                assert answer.json()["code"], answer.content

        run()
    return seen


async def test_no_case_is_a_server_error(server: Server) -> None:
    """Generated bodies and parameters, signed in and not, meet 2xx and coded 4xx only, on both databases."""
    anonymous = await asyncio.to_thread(_storm, server, {}, {}, 6)
    cookies, headers = await _cookies(server)
    signed_in = await asyncio.to_thread(_storm, server, cookies, headers, 5, "/auth/logout")
    assert {401, 422} <= anonymous
    assert 200 in signed_in
    assert "Traceback" not in server.said


@pytest.mark.slow
async def test_no_case_is_a_server_error_at_length(server: Server) -> None:
    """The same with many more cases."""
    await asyncio.to_thread(_storm, server, {}, {}, 500)
    assert "Traceback" not in server.said
