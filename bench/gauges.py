"""Owns what is read off the machine and its processes: CPU time, memory, names, and what one hash or import costs."""

import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.load import ROOT
from ostiary.core.passwords.schemes import SALT_BYTES
from ostiary.core.passwords.settings import PasswordSettings

_MEBIBYTE: Final = 1024


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process so far, to the nanosecond: its clock as in clock_getcpuclockid(3)."""
    # Linux's encoding (include/linux/posix-timers.h): the inverted process id above CPUCLOCK_SCHED.
    return time.clock_gettime((~pid << 3) | 2)


def tree_cpu_seconds(pid: int) -> float:
    """The same of a process and all that it has started and that still run."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return cpu_seconds(pid) + sum(tree_cpu_seconds(int(child)) for child in children)


def resident_mib(pid: int) -> float:
    """Resident memory of a process."""
    words = Path(f"/proc/{pid}/status").read_text()
    return int(words.partition("VmRSS:")[2].split()[0]) / _MEBIBYTE


def hash_seconds(rounds: int) -> list[float]:
    """CPU time of single hashes with the default settings."""
    scheme = PasswordSettings().scheme
    took = []
    for _ in range(rounds):
        before = time.thread_time()
        scheme.derive(b"x" * 64, bytes(SALT_BYTES), scheme.digest_bytes)
        took.append(time.thread_time() - before)
    return took


def import_seconds(module: str, rounds: int) -> list[float]:
    """How long a fresh interpreter takes to import a module, files already in the system's cache."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    runs = []
    warm_up = int(rounds > 1)
    for _ in range(rounds + warm_up):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
        )
        runs.append(float(done.stdout))
    return runs[warm_up:]


@dataclass(frozen=True, slots=True)
class Machine:
    """Where this ran."""

    processor: str
    cores: int
    system: str
    interpreter: str

    @classmethod
    def here(cls) -> "Machine":
        """This one."""
        info = Path("/proc/cpuinfo").read_text()
        model = info.partition("model name")[2].partition(":")[2].partition("\n")[0].strip()
        release = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
        return cls(
            model or platform.machine(),
            os.cpu_count() or 1,
            f"{release}, {platform.system()} {platform.release()}",
            f"{platform.python_implementation()} {platform.python_version()}",
        )


class OthersWatch:
    """How much of the machine others used while we measured, as cores; ours are this process and its children."""

    def __init__(self) -> None:
        self._before = self._busy()
        self._ours = self._used()
        self._since = time.monotonic()

    @staticmethod
    def _busy() -> float:
        fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        user, nice, system, _, _, irq, soft, steal = fields
        return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def _used() -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system

    def cores(self) -> float:
        """Call it once the servers and clients have ended: only then are they counted as ours."""
        took = time.monotonic() - self._since
        return max(0.0, (self._busy() - self._before - (self._used() - self._ours)) / took)


def middle(values: list[float]) -> float:
    """The median."""
    return statistics.median(values)
