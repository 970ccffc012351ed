"""A token that is over is refused here at once, and by services that check it by themselves soon: real processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ostiary.client import SessionOver, Tokens
from ostiary.client.httpx2 import UserAuth
from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import Status
from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import load
from ostiary.features.keys import flow as keys
from ostiary.kernel.errors import Unavailable
from ostiary.kernel.origin import Origin
from ostiary.kernel.world import World
from ostiary.testing.kit import PASSWORD
from ostiary.verifier import TokenRefused, Verifier
from tests.features.tokens.stage import claims_of, code_of
from tests.support.server import ROOT_SECRET, Server, mail_to, serving
from tests.verifier.hands import Hands
from tests.verifier.waiting import soon_refused, until


@asynccontextmanager
async def issuer(folder: Path, url: str) -> AsyncIterator[Server]:
    """A server process on a database."""
    async with serving(
        folder, "--dev", "--data", str(folder / "data"), database=url, root_secret=ROOT_SECRET
    ) as server:
        yield server


@asynccontextmanager
async def office(folder: Path, url: str) -> AsyncIterator[Engine]:
    """An operator's process on the same database."""
    given = {"dev": True, "data": folder / "office", "database": url, "root_secret": ROOT_SECRET}
    engine = Engine(load(RIBS, World(), given), RIBS)
    await engine.start(worker=False)
    yield engine
    await engine.stop()


async def pair_of(server: Server, address: str) -> dict[str, Any]:
    """Somebody who has just registered and signed in for tokens."""
    async with server.client() as client:
        await client.post("/auth/register", json={"email": address, "password": PASSWORD})
        mail = await mail_to(server, address)
        token = mail["text"].partition("token=")[2].split()[0]
        (await client.post("/auth/email/verify", json={"token": token})).raise_for_status()
        body = {"identifier": address, "password": PASSWORD, "delivery": "tokens"}
        answer = await client.post("/auth/login", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def who(server: Server, pair: dict[str, Any]) -> httpx2.Response:
    """Ask the issuer itself."""
    async with server.client() as client:
        return await client.get("/auth/session", headers={"authorization": f"Bearer {pair['access_token']}"})


async def post(server: Server, path: str, **body: Any) -> httpx2.Response:
    """Send JSON, without any cookie."""
    async with server.client() as client:
        return await client.post(path, json=body)


async def is_over(server: Server, verifier: Verifier, pair: dict[str, Any]) -> None:
    """Refused by the issuer in this very moment, and by the verifier soon."""
    assert code_of(await who(server, pair)) == "session_ended"
    assert (await soon_refused(verifier, pair["access_token"])).code.name == "session_ended"


async def test_ended_here_is_ended_everywhere(database_url: str, tmp_path: Path) -> None:
    """Signed out, disabled, reset, and signed by a retired key; whoever is not concerned goes on, until the key is."""
    async with (
        issuer(tmp_path, database_url) as server,
        office(tmp_path, database_url) as engine,
        Verifier(server.url, server.url) as verifier,
    ):
        names = ("leaver", "barred", "loser", "stayer")
        pairs = {name: await pair_of(server, f"{name}@example.com") for name in names}
        for pair in pairs.values():
            assert (await verifier.verify(pair["access_token"])).subject == pair["user"]["id"]
            assert (await who(server, pair)).status_code == 200

        await post(server, "/auth/logout", refresh_token=pairs["leaver"]["refresh_token"])
        await is_over(server, verifier, pairs["leaver"])

        barred = pairs["barred"]["user"]["id"]
        async with engine.core.runner.flow(Origin()) as flow:
            await flow.change(lambda change: accounts.set_status(change, barred, Status.DISABLED, "operator"))
        await is_over(server, verifier, pairs["barred"])

        await post(server, "/auth/password/forgot", email="loser@example.com")
        mail = await mail_to(server, "loser@example.com", count=2)
        token = mail["text"].partition("token=")[2].split()[0]
        answer = await post(
            server, "/auth/password/reset", token=token, new_password="another harbour, eighteen lanterns"
        )
        assert answer.status_code == 200, answer.text
        await is_over(server, verifier, pairs["loser"])

        stayer = pairs["stayer"]
        assert (await who(server, stayer)).status_code == 200
        await verifier.verify(stayer["access_token"])
        await keys.retire(engine.core, engine.core.signing.current.kid)
        assert (await soon_refused(verifier, stayer["access_token"])).code.name == "token_invalid"
        await _refused_by_issuer(server, stayer)
        # Its session is not concerned: the next pair is signed by the next key.
        stayer |= (await post(server, "/auth/refresh", refresh_token=stayer["refresh_token"])).json()
        assert (await verifier.verify(stayer["access_token"])).session_id == stayer["session"]["id"]
        for pair in pairs.values():
            if pair is not stayer:
                assert code_of(await post(server, "/auth/refresh", refresh_token=pair["refresh_token"])) == (
                    "session_ended"
                )


async def _refused_by_issuer(server: Server, pair: dict[str, Any]) -> None:
    async with asyncio.timeout(20):
        while code_of(await who(server, pair)) != "token_invalid":  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.05)


async def test_cut_off(tmp_path: Path) -> None:
    """Without the issuer a service says so, judges for as long as it was told to, and then refuses; later goes on."""
    hands, url = Hands(), f"sqlite:///{tmp_path / 'ostiary.db'}"
    async with issuer(tmp_path, url) as server:
        over, good = [await pair_of(server, f"{name}@example.com") for name in ("over", "good")]
        port = int(server.url.rpartition(":")[2])
        verifier = Verifier(
            server.url, server.url, tolerated_staleness=timedelta(minutes=2), world=World(clock=hands)
        )
        await verifier.verify(over["access_token"])
        await post(server, "/auth/logout", refresh_token=over["refresh_token"])
        await soon_refused(verifier, over["access_token"])
        await server.kill()
    await until(lambda: verifier.state.name == "stale")
    assert verifier.state.trouble
    hands.turn(timedelta(minutes=1))
    await verifier.verify(good["access_token"])
    with pytest.raises(TokenRefused):
        await verifier.verify(over["access_token"])
    hands.turn(timedelta(minutes=1, seconds=30))
    for pair in (over, good):
        with pytest.raises(Unavailable):
            await verifier.verify(pair["access_token"])
    assert verifier.state.name == "unavailable"
    given = {"database": url, "root_secret": ROOT_SECRET}
    async with serving(tmp_path, "--dev", "--data", str(tmp_path / "data"), port=port, **given):
        hands.turn(timedelta(seconds=15))  # the longest pause between two tries
        await until(lambda: verifier.state.name == "following")
        await verifier.verify(good["access_token"])
        with pytest.raises(TokenRefused):
            await verifier.verify(over["access_token"])
        await verifier.close()


async def test_a_program_keeps_its_pair_alive(tmp_path: Path) -> None:
    """Twenty requests with a token that is over: one refresh; and the end of the session is told as that."""
    saved: list[Tokens] = []
    url = f"sqlite:///{tmp_path / 'ostiary.db'}"
    async with issuer(tmp_path, url) as server:
        pair = await pair_of(server, "mira@example.com")
        tokens = replace(Tokens.read(pair, World().now()), expires_at=World().now())
        auth = UserAuth(server.url, tokens, origins=[server.url], save=saved.append)
        async with server.client(auth=auth) as client:
            for generation in (1, 2):
                answers = await asyncio.gather(*(client.get("/auth/session") for _ in range(20)))
                assert {answer.status_code for answer in answers} == {200}
                assert [one.refresh_token.reveal().split(".")[1] for one in saved] == ["1"], generation
            assert claims_of(saved[0].access_token.reveal())["sid"] == pair["session"]["id"]
            await post(server, "/auth/logout", refresh_token=saved[0].refresh_token.reveal())
            assert code_of(await client.get("/auth/session")) == "session_ended"
        late = UserAuth(
            server.url, replace(saved[0], expires_at=World().now()), origins=[server.url], save=saved.append
        )
        async with server.client(auth=late) as client:
            with pytest.raises(SessionOver) as told:
                await client.get("/auth/session")
            assert told.value.told == "session_ended"
