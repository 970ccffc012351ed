"""The portal: one loop for threads that have none, from the first call to the end of the process, and over a fork."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from ostiary.core.accounts import accounts
from ostiary.core.accounts.address import parse_email
from ostiary.core.change import Change
from ostiary.integrations.host import Ostiary
from ostiary.integrations.portal import Portal
from ostiary.kernel.errors import Misuse, Refused, Unavailable
from ostiary.kernel.origin import Origin
from tests.support.gunicorn import FORKS
from tests.support.tree import ROOT

AT_ONCE = 12


def made(url: str, data: Path) -> Ostiary:
    """An ostiary as a synchronous host makes it: outside any event loop, not started."""
    return Ostiary(database=url, data=data, dev=True)


async def where() -> tuple[int, str]:
    """In which loop and thread this runs."""
    return id(asyncio.get_running_loop()), threading.current_thread().name


def portals() -> set[threading.Thread]:
    """The portals' threads that live, those of other tests, too."""
    return {thread for thread in threading.enumerate() if thread.name == "ostiary-portal"}


def test_many_first_calls_begin_one_engine(database_url: str, tmp_path: Path) -> None:
    """Threads that make the first call together share one loop; closed, it ends, and the next call begins another."""
    others = portals()
    portal = Portal(made(database_url, tmp_path))
    barrier = threading.Barrier(AT_ONCE)

    def first(_: int) -> tuple[int, str]:
        barrier.wait()
        return portal.call(where)

    for _ in range(2):  # the second life: nothing of the engine may belong to the first one's loop
        with ThreadPoolExecutor(AT_ONCE) as threads:
            loops = set(threads.map(first, range(AT_ONCE)))
            assert {name for _, name in loops} == {"ostiary-portal"}
            assert len(loops) == len(portals() - others) == 1
            standings = list(threads.map(lambda _: portal.call(portal.auth.standing, None), range(AT_ONCE)))
            assert not any(standing.check("notes:read") for standing in standings)
            with pytest.raises(Refused, match="not_found"):
                portal.call(lambda: portal.auth.set_profile("nobody", {}))
        portal.close()
        assert portals() <= others


class Interrupt(BaseException):
    """What a signal's handler raises, as KeyboardInterrupt."""


def _interrupt(*_: object) -> None:
    raise Interrupt


def test_what_a_call_raises_comes_out_as_it_is(tmp_path: Path) -> None:
    """The very same exception; late and interrupted calls are cancelled; one from within the loop would wait for
    itself; closing waits for calls under way."""
    portal = Portal(made(f"sqlite:///{tmp_path / 'ostiary.db'}", tmp_path))
    cause = TimeoutError("the function's own")
    begun: list[str] = []
    ended: list[str] = []

    async def fails() -> None:
        raise cause

    async def sleeps(seconds: float) -> str:
        begun.append("begun")
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return "slept"

    async def inside() -> None:
        portal.call(where)

    with pytest.raises(TimeoutError) as raised:
        portal.call(fails)
    assert raised.value is cause
    patience = timedelta(milliseconds=1)
    while not begun:  # one that is late before it has begun does not begin
        with pytest.raises(Unavailable, match="did not end within"):
            portal.call(sleeps, 60, timeout=patience)
        patience *= 2
    portal.call(where)
    assert (begun, ended) == (["begun"], ["cancelled"])

    async def interrupts() -> str:
        os.kill(os.getpid(), signal.SIGUSR1)
        return await sleeps(60)

    before = signal.signal(signal.SIGUSR1, _interrupt)
    try:
        with pytest.raises(Interrupt):
            portal.call(interrupts)
    finally:
        signal.signal(signal.SIGUSR1, before)
    portal.call(where)
    assert ended == ["cancelled"] * 2
    with pytest.raises(Misuse, match="wait for itself"):
        portal.call(inside)
    under_way = portal.begin(sleeps, 0.2)
    portal.close()
    assert under_way.result(0) == "slept"


def test_a_start_that_fails_is_heard_by_all_and_tried_again(tmp_path: Path) -> None:
    """Every caller hears why the engine cannot start, and once that is mended the next call starts it."""
    others = portals()
    folder = tmp_path / "later"
    folder.mkdir()
    portal = Portal(made(f"sqlite:///{folder / 'ostiary.db'}", tmp_path))
    shutil.rmtree(folder)
    for _ in range(2):
        with ThreadPoolExecutor(3) as threads:
            tries = [threads.submit(portal.start) for _ in range(3)]
            assert all(isinstance(one.exception(), Misuse | Unavailable) for one in tries), tries
    for thread in portals() - others:
        thread.join(30)
    assert portals() <= others
    folder.mkdir()
    portal.start()
    portal.close()


# A host that forks while it serves. Its last words are the test's claim; its warnings are errors.
_FORKING = """
import asyncio, os, sys, threading
from pathlib import Path
from ostiary.integrations.host import Ostiary
from ostiary.integrations.portal import Portal
from ostiary.core.accounts.profile import ProfileField
from ostiary.kernel.errors import Misuse

auth = Ostiary(database=sys.argv[1], data=Path(sys.argv[2]), dev=True)
portal = Portal(auth)
assert portal.call(lambda: auth.grant_role(sys.argv[3], "admin", by="test"))

def child(work, end=os._exit):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except Misuse as error:
            print("misuse:", str(error)[:60], flush=True)
            os._exit(3)
        portal.close()
        end(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def changes(by):
    assert portal.call(lambda: auth.revoke_role(sys.argv[3], "admin", by=by))
    assert portal.call(lambda: auth.grant_role(sys.argv[3], "admin", by=by))

# Threads go on calling while the process forks: no call is lost, in neither process.
stop, calls, failed = threading.Event(), [0], []
def caller():
    try:
        while not stop.wait(0.01):
            portal.call(auth.profile, sys.argv[3])
            calls[0] += 1
    except BaseException as error:
        failed.append(error)
threads = [threading.Thread(target=caller) for _ in range(2)]
for thread in threads: thread.start()
for number in range(2):
    assert child(lambda: changes(f"child {number}")) == 0
    changes("parent")
stop.set()
for thread in threads: thread.join()
assert not failed and calls[0], (failed, calls)

def grandchild():
    changes("child")
    assert child(lambda: changes("grandchild")) == 0
    changes("child")
assert child(grandchild, end=sys.exit) == 0  # in order: whatever it inherited is taken down, too

# From the loop itself the engine cannot be stopped: the child says so, and touches nothing.
async def forks():
    pid = os.fork()
    if pid == 0:
        found = []
        def call():
            try:
                portal.call(auth.profile, sys.argv[3])
            except Misuse as error:
                found.append(str(error))
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        os._exit(len(found))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert portal.call(forks) == 1
changes("parent")
portal.close()

# An asynchronous host: made before the fork and started after it works; started before it, the child says so.
async def lives():
    await auth.start()
    assert await auth.profile(sys.argv[3])
    await auth.stop()
assert child(lambda: asyncio.run(lives())) == 0
async def forks_while_it_runs():
    await auth.start()
    pid = os.fork()
    if pid == 0:
        await auth.stop()  # the parent's: it is left alone
        try:
            await auth.start()
        except Misuse as error:
            os._exit("before this process was forked" in str(error))
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert await auth.revoke_role(sys.argv[3], "admin", by="test")
    await auth.stop()
asyncio.run(forks_while_it_runs())
asyncio.run(lives())
print("parent and children agree", flush=True)
"""

# The process ends while a call is under way, in a thread that nobody waits for.
_ENDING = """
import asyncio, multiprocessing, sys, threading
from pathlib import Path
from ostiary.integrations.host import Ostiary
from ostiary.integrations.portal import Portal

portal = Portal(Ostiary(database=sys.argv[1], data=Path(sys.argv[2]), dev=True))

def work(name):
    begun = threading.Event()
    async def slow():
        begun.set()
        await asyncio.sleep(0.2)
        await asyncio.get_running_loop().run_in_executor(None, print, name, "finished")
    threading.Thread(target=portal.call, args=(slow,), daemon=True).start()
    begun.wait()

if __name__ == "__main__":
    child = multiprocessing.get_context("fork").Process(target=work, args=("child",))
    child.start()
    child.join()
    work("parent")
"""


def run(program: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run a program in a process of its own, its warnings errors; it must end by itself."""
    command = [sys.executable, "-W", "error", "-W", FORKS, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=ROOT, check=False)


def _account(url: str, data: Path) -> str:
    """An account, made before anything forks."""
    portal = Portal(made(url, data))

    async def make() -> str:
        async def work(change: Change) -> str:
            return await accounts.create_unless_known(change, parse_email("anna@example.com"), "", "")

        async with portal.auth.engine.core.runner.flow(Origin()) as flow:
            return await flow.change(work)

    account_id = portal.call(make)
    portal.close()
    return account_id


def test_parent_and_children_go_on_after_a_fork(database_url: str, tmp_path: Path) -> None:
    """Forked while threads call, parent, child and grandchild go on reading and writing, and end in order; where the
    engine could not be stopped before, the child says so, as in an asynchronous host that started too early."""
    ended = run(_FORKING, database_url, tmp_path, _account(database_url, tmp_path))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "parent and children agree\n"


def test_the_end_of_the_process_waits_for_what_is_under_way(tmp_path: Path) -> None:
    """A process that ends lets calls finish first, even those that need a thread; so does one of multiprocessing."""
    ended = run(_ENDING, f"sqlite:///{tmp_path / 'ostiary.db'}", tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "child finished\nparent finished\n"
