"""Where a call goes: only to addresses that were judged, only to who proves its name, and how many at once."""

import asyncio
import logging
import socket
import traceback
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import httpx2
import pytest

from ostiary.core.outgoing.client import Limits, Outgoing
from ostiary.core.outgoing.failure import Failure, NoAnswer, OutgoingFailed, OutOfReach
from ostiary.core.outgoing.names import SystemNames
from ostiary.core.outgoing.reach import Reach
from ostiary.kernel.errors import Misuse
from ostiary.kernel.secret import Secret
from ostiary.storage import guard
from tests.core.outgoing.conftest import HERE, MakeSealed, Names, plain
from tests.support.certificates import Authority
from tests.support.outside import Visit, outside
from tests.support.ports import free_port

NAME = "hooks.example.test"
SHORT = timedelta(milliseconds=400)


async def fine(visit: Visit) -> None:
    await visit.answer(b"fine")


async def test_the_name_goes_into_tls_and_host_although_the_address_is_called(
    authority: Authority, sealed: MakeSealed
) -> None:
    """SNI, certificate and Host header are the name's; the name is resolved once."""
    names = Names(("127.0.0.1",))
    async with outside(fine, tls=authority.server(NAME)) as server:
        answer = await sealed(server.port, names).send("GET", f"https://{NAME}:{server.port}/")
    assert answer.body == b"fine"
    [visit] = server.visits
    assert (visit.sni, visit.header("host")) == (NAME, f"{NAME}:{server.port}")
    assert names.asked == [NAME]


async def test_a_certificate_for_an_address_is_good_for_that_address(
    authority: Authority, sealed: MakeSealed
) -> None:
    """https://127.0.0.1 and https://[::1] with a certificate that names them; nothing is resolved."""
    names = Names(("10.0.0.1",))
    async with outside(fine, tls=authority.server("127.0.0.1")) as server:
        answer = await sealed(server.port, names).send("GET", f"https://127.0.0.1:{server.port}/")
    assert answer.body == b"fine"
    async with outside(fine, host="::1", tls=authority.server("::1")) as server:
        client = sealed(server.port, names, allow="::1/128")
        answer = await client.send("GET", f"https://[::1]:{server.port}/")
    assert answer.body == b"fine"
    assert server.visits[0].header("host") == f"[::1]:{server.port}"
    assert names.asked == []


async def test_who_does_not_prove_its_name_is_told_nothing(
    authority: Authority, sealed: MakeSealed, tmp_path: Path
) -> None:
    """A wrong name, an authority that nobody trusts, an address's certificate for a name, no TLS at all."""
    stranger = Authority(tmp_path)
    for tls in (
        authority.server("other.example.test"),
        authority.server("127.0.0.1"),
        stranger.server(NAME),
    ):
        async with outside(fine, tls=tls) as server:
            with pytest.raises(NoAnswer) as failed:
                await sealed(server.port).send("POST", f"https://{NAME}:{server.port}/", content=b"secret")
        assert failed.value.failure is Failure.TLS
        assert server.visits == []
    async with outside(fine) as server:
        with pytest.raises(NoAnswer) as failed:
            await sealed(server.port, time=SHORT).send("GET", f"https://{NAME}:{server.port}/")
    assert failed.value.failure in {Failure.TLS, Failure.TIMEOUT}
    assert server.visits == []


@pytest.mark.parametrize(
    "answer",
    [
        ("10.0.0.1",),
        ("169.254.169.254",),
        ("127.0.0.1",),
        ("0.0.0.0",),
        ("::1",),
        ("::ffff:127.0.0.1",),
        ("64:ff9b::7f00:1",),
        ("2002:7f00:1::1",),
        ("fe80::1%1",),
        ("127.0.0.2", "10.0.0.1"),
        ("10.0.0.1", "127.0.0.2"),
        ("127.0.0.2", "127.0.0.2", "::1"),
    ],
)
async def test_names_that_lead_out_of_reach_are_refused(
    answer: tuple[str, ...], authority: Authority, sealed: MakeSealed
) -> None:
    """L18: whatever form the address has, and if it is but one of several; nobody gets so much as a connection."""
    async with outside(fine, host="127.0.0.2", tls=authority.server(NAME)) as server:
        client = sealed(server.port, Names(answer), allow="127.0.0.2/32")
        with pytest.raises(OutOfReach) as refused:
            await client.send("GET", f"https://{NAME}:{server.port}/")
        assert refused.value.failure is Failure.ADDRESS
        assert server.connections == 0


async def test_a_name_that_changes_its_answer_gains_nothing(authority: Authority, sealed: MakeSealed) -> None:
    """DNS rebinding: what was judged is what is connected to; the next call judges anew."""
    names = Names(("127.0.0.2",), ("127.0.0.1",))
    tls = authority.server(NAME)
    async with (
        outside(fine, host="127.0.0.2", tls=tls) as judged,
        outside(fine, host="127.0.0.1", port=judged.port, tls=authority.server(NAME)) as inner,
    ):
        client = sealed(judged.port, names, allow="127.0.0.2/32")
        url = f"https://{NAME}:{judged.port}/"
        assert (await client.send("GET", url)).body == b"fine"
        with pytest.raises(OutOfReach):
            await client.send("GET", url)
        assert (len(judged.visits), inner.connections) == (1, 0)
    assert names.asked == [NAME, NAME]


async def test_the_next_address_is_tried_when_one_is_dead(authority: Authority, sealed: MakeSealed) -> None:
    """Several good addresses: the first that takes the connection."""
    async with outside(fine, host="127.0.0.2", tls=authority.server(NAME)) as server:
        client = sealed(server.port, Names(("127.0.0.3", "127.0.0.2")))
        assert (await client.send("GET", f"https://{NAME}:{server.port}/")).body == b"fine"


async def test_nobody_there(sealed: MakeSealed) -> None:
    """A dead port, and names without an address."""
    port = free_port()
    with pytest.raises(NoAnswer) as failed:
        await sealed(port, Names(("127.0.0.1", "127.0.0.3"))).send("GET", f"https://{NAME}:{port}/")
    assert failed.value.failure is Failure.UNREACHABLE

    async def unknown(name: str) -> tuple[()]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    async def empty(name: str) -> tuple[()]:
        return ()

    for resolve in (unknown, empty):
        with pytest.raises(NoAnswer) as failed:
            await Outgoing(Reach(), resolve=resolve).client(Limits()).send("GET", f"https://{NAME}/")
        assert failed.value.failure is Failure.UNRESOLVED


async def test_this_machine_resolves_its_own_name() -> None:
    """The real resolver: localhost leads to loopback, which only development may call; a made-up name to nobody."""
    async with outside(fine) as server:
        client = Outgoing(HERE, resolve=None).client(Limits())
        # It may also have an IPv6 address, where nobody listens.
        assert (await client.send("GET", f"http://localhost:{server.port}/")).body == b"fine"
    closed = Outgoing(Reach())
    with pytest.raises(OutOfReach) as refused:
        await closed.client(Limits()).send("GET", "https://localhost/")
    assert refused.value.failure is Failure.ADDRESS
    names = SystemNames()
    with pytest.raises(socket.gaierror):
        await names("nowhere.invalid")
    names.close()
    assert {address.is_loopback for address in await names("localhost")} == {True}
    names.close()
    closed.close()


async def test_a_slow_name_server_ends_by_the_time_limit() -> None:
    """Resolving is within the one limit, too."""

    async def asleep(name: str) -> tuple[()]:
        await asyncio.Event().wait()
        return ()

    with pytest.raises(NoAnswer) as failed:
        await Outgoing(Reach(), resolve=asleep).client(Limits(time=SHORT)).send("GET", f"https://{NAME}/")
    assert failed.value.failure is Failure.TIMEOUT


async def test_a_stalled_handshake_ends_by_the_time_limit(sealed: MakeSealed) -> None:
    """A server that takes the connection and never speaks TLS; the connection is closed, not forgotten."""
    gone = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        gone.set()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(NoAnswer) as failed:
        await sealed(port, time=SHORT).send("GET", f"https://{NAME}:{port}/")
    assert failed.value.failure is Failure.TIMEOUT
    async with asyncio.timeout(10):
        await gone.wait()
    server.close()


async def test_places_are_bounded_per_client() -> None:
    """Never more than so many at once; the others wait their turn; another client has places of its own."""
    release, full = asyncio.Event(), asyncio.Event()
    inside: list[str] = []
    most = 0

    async def wait(visit: Visit) -> None:
        nonlocal most
        if "slow" in visit.line:
            inside.append(visit.line)
            most = max(most, len(inside))
            if len(inside) == 2:
                full.set()
            await release.wait()
            inside.pop()
        await visit.answer(b"fine")

    async with outside(wait) as server:
        url = f"http://127.0.0.1:{server.port}"
        outgoing = Outgoing(HERE)
        few = outgoing.client(Limits(at_once=2))
        calls = [asyncio.create_task(few.send("GET", f"{url}/slow")) for _ in range(6)]
        await full.wait()
        assert (await outgoing.client(Limits()).send("GET", f"{url}/quick")).body == b"fine"
        assert len(server.visits) == 3
        release.set()
        assert [answer.body for answer in await asyncio.gather(*calls)] == [b"fine"] * 6
    assert most == 2


async def test_who_finds_no_place_in_time_is_told_so() -> None:
    """Waiting for a place is within the time limit; the place is free afterwards."""
    async with outside(fine) as server:
        client = plain(time=SHORT, at_once=1)
        async with client._places:
            with pytest.raises(NoAnswer) as failed:
                await client.send("GET", f"http://127.0.0.1:{server.port}/")
        assert (failed.value.failure, server.connections) == (Failure.BUSY, 0)
        assert (await client.send("GET", f"http://127.0.0.1:{server.port}/")).body == b"fine"


async def test_environment_and_netrc_change_nothing(
    nothing_in_the_way: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No proxy is asked, and no credential of this machine goes out."""
    (nothing_in_the_way / ".netrc").write_text("machine 127.0.0.1 login anna password secret\n")
    monkeypatch.setenv("NETRC", str(nothing_in_the_way / ".netrc"))
    async with outside(lambda visit: visit.answer(b"proxied")) as proxy, outside(fine) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            for spelled in (name, name.upper()):
                monkeypatch.setenv(spelled, f"http://127.0.0.1:{proxy.port}")
        answer = await plain().send("GET", f"http://127.0.0.1:{server.port}/")
    assert (answer.body, proxy.connections) == (b"fine", 0)
    assert server.visits[0].header("authorization") is None


async def test_not_while_a_transaction_is_open() -> None:
    """Calling out would hold locks for as long as a stranger pleases."""
    async with outside(fine) as server:
        with guard.mark_open(), pytest.raises(Misuse, match="transaction"):
            await plain().send("GET", f"http://127.0.0.1:{server.port}/")
        assert server.connections == 0


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("CONNECT", {}),
        ("get", {}),
        ("TRACE", {}),
        ("GET / HTTP/1.1\r\nX:", {}),
        ("GET", {"Host": "inner.example"}),
        ("GET", {"transfer-encoding": "chunked"}),
        ("GET", {"Content-Length": "0"}),
        ("GET", {"x y": "1"}),
        ("GET", {"x:": "1"}),
        ("GET", {"": "1"}),
        ("GET", {"x": "hunter2\r\nHost: inner.example"}),
        ("GET", {"x": "hunter2\x00"}),
        ("GET", {"x": "hunter2\u2028"}),
        ("GET", {"x": ""}),
        ("GET", {"x": "1", "X": "2"}),
    ],
)
async def test_no_header_can_be_smuggled(method: str, headers: dict[str, str | Secret]) -> None:
    """Misuse, before anything is sent, and the value is not repeated."""
    async with outside(fine) as server:
        with pytest.raises(Misuse) as misuse:
            await plain().send(method, f"http://127.0.0.1:{server.port}/", headers=headers)
        assert server.connections == 0
    assert "hunter2" not in str(misuse.value)


@pytest.fixture
def all_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that is logged at all."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


async def test_secrets_stand_in_no_message(all_logged: pytest.LogCaptureFixture) -> None:
    """Path, headers and body, sent and received: not in the error, its traceback, the answer's text, or the log."""

    async def behave(visit: Visit) -> None:
        assert visit.header("authorization") == "Bearer hunter2"
        if "break" in visit.line:
            await visit.write(b"HTTP/1.1 hunter2\r\n\r\n")
        await visit.answer(b"hunter2", "set-cookie: hunter2", "location: /?code=hunter2")

    told = [repr(Secret("hunter2"))]
    async with outside(behave) as server:
        for path in ("/hunter2/break", "/hunter2"):
            try:
                answer = await plain().send(
                    "POST",
                    f"http://127.0.0.1:{server.port}{path}?hunter2",
                    headers={"Authorization": Secret("Bearer hunter2")},
                    content=b"hunter2",
                )
                told.append(repr(answer))
            except OutgoingFailed as failed:
                told += [str(failed), repr(failed), *traceback.format_exception(failed)]
    assert len(server.visits) == 2
    assert "hunter2" not in "".join([*told, all_logged.text])


async def test_the_log_of_others_stays(all_logged: pytest.LogCaptureFixture) -> None:
    """A host application that looks at its own calls sees them; ours are not among them."""
    async with outside(fine) as server:
        url = f"http://127.0.0.1:{server.port}/"
        await plain().send("GET", url)
        assert "httpcore2" not in all_logged.text
        async with httpx2.AsyncClient(trust_env=False) as client:
            await client.get(url)
    assert "httpcore2.http11" in all_logged.text


def test_a_url_is_checked_without_being_called() -> None:
    """For forms in which somebody enters one: what needs no look-up to be refused is refused at once."""
    outgoing = Outgoing(Reach(allow=(ip_network("10.0.0.0/8"),)))
    outgoing.check("https://hooks.example.com/")
    outgoing.check("https://10.0.0.1/")
    for url in ("http://hooks.example.com/", "https://192.168.0.1/", "https://hooks.example.com:22/"):
        with pytest.raises(OutOfReach):
            outgoing.check(url)
