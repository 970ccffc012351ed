"""L18: an address that somebody else wrote never makes the engine call what only the engine can reach."""

from datetime import timedelta
from pathlib import Path

import pytest

from ostiary.core.change import Change
from ostiary.core.outgoing.client import Limits
from ostiary.core.outgoing.failure import Failure, OutOfReach
from ostiary.kernel.errors import Misuse, Unavailable
from ostiary.kernel.origin import Origin
from ostiary.testing import Kit, running
from tests.support.certificates import Authority
from tests.support.outside import Visit, outside

LIMITS = Limits(time=timedelta(seconds=20))


async def secret(visit: Visit) -> None:
    await visit.answer(b"the inner sanctum")


INSIDE = [
    "http://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/",
    "https://127.0.0.1/",
    "https://localhost:{port}/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://0.0.0.0/",
    "https://0/",
    "https://127.1/",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1#@example.com/",
    "https://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "file:///etc/passwd",
    "unix:///run/docker.sock",
    "gopher://127.0.0.1:{port}/_GET",
]


async def test_an_engine_as_it_is_shipped_calls_nothing_inside(kit: Kit) -> None:
    """Every spelling of this machine and of a cloud's metadata is refused, and nobody is even connected to."""
    async with outside(secret) as server:
        client = kit.engine.core.outgoing.client(LIMITS)
        for url in INSIDE:
            with pytest.raises(OutOfReach) as refused:
                await client.send("GET", url.format(port=server.port))
            assert isinstance(refused.value, Unavailable)
            assert refused.value.failure in {Failure.URL, Failure.PORT, Failure.ADDRESS}
        assert server.connections == 0


async def test_no_call_from_within_a_change(kit: Kit) -> None:
    """Neither holds the other up: the mistake is told before anything goes out."""
    client = kit.engine.core.outgoing.client(LIMITS)

    async def work(change: Change) -> None:
        await client.send("GET", "https://example.com/")

    async def mistaken() -> None:
        async with kit.engine.core.runner.flow(Origin()) as flow:
            await flow.change(work)

    with pytest.raises(Misuse, match="transaction"):
        await mistaken()


async def test_an_operator_names_what_may_be_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With network and port in the settings, and a certificate that is trusted; the neighbour stays shut."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    async with (
        outside(secret, tls=authority.server("127.0.0.1")) as server,
        running(tmp_path, outgoing_allow="127.0.0.1", outgoing_ports=str(server.port)) as kit,
    ):
        client = kit.engine.core.outgoing.client(LIMITS)
        answer = await client.send("GET", f"https://127.0.0.1:{server.port}/")
        assert answer.body == b"the inner sanctum"
        for url in (f"http://127.0.0.1:{server.port}/", f"https://127.0.0.2:{server.port}/"):
            with pytest.raises(OutOfReach):
                await client.send("GET", url)
        assert server.connections == 1


async def test_development_calls_this_machine(tmp_path: Path) -> None:
    """By plain http and on any port, but no other machine of the network."""
    async with (
        outside(secret) as server,
        running(tmp_path, dev=True, base_url="http://127.0.0.1:8000") as kit,
    ):
        client = kit.engine.core.outgoing.client(LIMITS)
        answer = await client.send("GET", f"http://127.0.0.1:{server.port}/")
        assert answer.body == b"the inner sanctum"
        for url in ("http://10.0.0.1/", "https://192.168.0.1/", "http://169.254.169.254/"):
            with pytest.raises(OutOfReach):
                await client.send("GET", url)
