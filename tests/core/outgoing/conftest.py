"""Owns what these tests share: certificates, names that lead where a test wants, and clients."""

from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from ostiary.core.outgoing.client import Client, Limits, Outgoing
from ostiary.core.outgoing.reach import Address, Reach
from tests.support.certificates import Authority

HERE = Reach(loopback=True)


@pytest.fixture(scope="session", params=[False, True], ids=["plain loop", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both kinds of loop: a host application's, and the server's."""
    return "asyncio", {"use_uvloop": request.param}


class Names:
    """A name server: every question gets the next answer, the last one again and again."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, name: str) -> tuple[Address, ...]:
        self.asked.append(name)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return tuple(ip_address(words) for words in answer)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority."""
    return Authority(tmp_path_factory.mktemp("authority"))


def plain(**limits: object) -> Client:
    """A client that calls this machine by http, as development does."""
    given = {"time": timedelta(seconds=20), "size": 65_536, **limits}
    return Outgoing(HERE).client(Limits(**given))  # type: ignore[arg-type]


MakeSealed = Callable[..., Client]


@pytest.fixture
def sealed(authority: Authority) -> MakeSealed:
    """Makes clients as production has them, that trust the authority and may call some loopback addresses."""

    def make(
        port: int, names: Names | None = None, *, allow: str = "127.0.0.0/8", **limits: object
    ) -> Client:
        given = {"time": timedelta(seconds=20), "size": 65_536, **limits}
        outgoing = Outgoing(
            Reach((ip_network(allow),), frozenset({port})),
            resolve=names or Names(("127.0.0.1",)),
            tls=authority.client(),
        )
        return outgoing.client(Limits(**given))  # type: ignore[arg-type]

    return make


@pytest.fixture
def nothing_in_the_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment without proxies, and an empty home."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path
