"""The verifier for programs with threads."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from ostiary.kernel.errors import Unavailable
from ostiary.kernel.world import World
from ostiary.protocols.jose.keys import SigningKey
from ostiary.protocols.jose.refusals import TokenRefused, Why
from ostiary.verifier import SyncVerifier
from tests.support.tree import ROOT
from tests.verifier.hands import Hands
from tests.verifier.issuer import AUDIENCE, Answer, Issuer, serving_in_a_thread
from tests.verifier.waiting import soon_refused_in_thread


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An issuer that is up."""
    with serving_in_a_thread() as issuer:
        yield issuer


@pytest.fixture
def verifier(issuer: Issuer, hands: Hands) -> Iterator[SyncVerifier]:
    """A verifier of that issuer, not started yet."""
    verifier = SyncVerifier(issuer.url, AUDIENCE, world=World(clock=hands))
    yield verifier
    verifier.close()


def test_the_first_use_is_enough(issuer: Issuer, verifier: SyncVerifier) -> None:
    """Nobody needs to start it."""
    names = [verifier.state.name]
    assert verifier.verify(issuer.token()).subject == "account-1"
    assert [*names, verifier.state.name] == ["starting", "following"]


def test_many_threads_ask_once(issuer: Issuer, verifier: SyncVerifier) -> None:
    """A crowd of threads at the start costs one fetch; so does one at an unknown key."""
    tokens = [issuer.token(jti=str(number)) for number in range(64)]
    with ThreadPoolExecutor(16) as pool:
        assert {token.id for token in pool.map(verifier.verify, tokens)} == {str(n) for n in range(64)}
    assert issuer.key_fetches == 1
    assert sum(thread.name == "ostiary verifier" for thread in threading.enumerate()) == 1


def test_a_new_key_is_found_once(issuer: Issuer, verifier: SyncVerifier, hands: Hands) -> None:
    """Rotation under load: every thread gets its answer, and one of them asked."""
    verifier.verify(issuer.token())
    issuer.signs = SigningKey.generate(World(), kid="two")
    issuer.published = [*issuer.published, issuer.signs]
    hands.turn(timedelta(seconds=11))
    tokens = [issuer.token(jti=str(number)) for number in range(64)]
    with ThreadPoolExecutor(16) as pool:
        assert len(list(pool.map(verifier.verify, tokens))) == 64
    assert issuer.key_fetches == 2


def test_a_session_that_ended_is_over(issuer: Issuer, verifier: SyncVerifier) -> None:
    """The feed reaches every thread."""
    token = issuer.token()
    verifier.verify(token)
    issuer.end_session()
    assert soon_refused_in_thread(verifier, token).why is Why.SESSION_ENDED


def test_an_issuer_that_is_down_is_unavailable(issuer: Issuer, verifier: SyncVerifier) -> None:
    """The same answer as from the asynchronous one."""
    issuer.keys_answer = Answer(503)
    with pytest.raises(Unavailable):
        verifier.verify(issuer.token())
    assert "503" in verifier.state.trouble


def test_refusals_are_the_same(issuer: Issuer, verifier: SyncVerifier) -> None:
    """There is one way of judging."""
    for token, why in (
        (issuer.token(aud="x"), Why.AUDIENCE),
        (issuer.token(SigningKey.generate(World(), kid="x")), Why.KEY_UNKNOWN),
        ("nonsense", Why.MALFORMED),
    ):
        with pytest.raises(TokenRefused) as caught:
            verifier.verify(token)
        assert caught.value.why is why


def test_closing_ends_the_thread_and_is_no_trap(issuer: Issuer, verifier: SyncVerifier) -> None:
    """After closing nothing runs any more; another use begins again."""
    with verifier:
        verifier.verify(issuer.token())
    assert not any(thread.name == "ostiary verifier" for thread in threading.enumerate())
    verifier.close()
    verifier.verify(issuer.token())
    assert any(thread.name == "ostiary verifier" for thread in threading.enumerate())


_FORKING = """
import os, sys, time
from ostiary.verifier import SyncVerifier, TokenRefused

url, audience, token = sys.argv[1:]
verifier = SyncVerifier(url, audience)
print(verifier.verify(token).subject, flush=True)
child = os.fork()
who = "child" if child == 0 else "parent"  # said in one piece: two processes write to one pipe
print(f"{who} {verifier.verify(token).subject}\\n", end="", flush=True)
sys.stdin.readline() if child else None
deadline = time.monotonic() + 30
while time.monotonic() < deadline:
    try:
        verifier.verify(token)
    except TokenRefused as refused:
        print(f"{who} {refused.why}\\n", end="", flush=True)
        break
    time.sleep(0.01)
if child:
    os.waitpid(child, 0)
    verifier.close()
else:
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this machine cannot fork")
def test_a_forked_process_follows_for_itself(issuer: Issuer, tmp_path: Path) -> None:
    """A server that loads the application and then forks has one follower in each process, not one that is dead."""
    program = tmp_path / "forking.py"
    program.write_text(_FORKING)
    with subprocess.Popen(
        [sys.executable, program, issuer.url, AUDIENCE, issuer.token()],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "account-1\n"
        assert {process.stdout.readline() for _ in range(2)} == {"parent account-1\n", "child account-1\n"}
        issuer.end_session()
        process.stdin.write("\n")
        process.stdin.flush()
        assert {process.stdout.readline() for _ in range(2)} == {
            "parent session_ended\n",
            "child session_ended\n",
        }
        assert process.wait(30) == 0
