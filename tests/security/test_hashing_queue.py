"""A full hashing queue: who comes too late is told to come back, nothing is counted, and the rest goes on."""

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path

from ostiary.core.passwords.schemes import Argon2id
from ostiary.testing import running
from ostiary.testing.kit import PASSWORD
from tests.security.stage import COUNTERS


@dataclass(frozen=True)
class Gated(Argon2id):
    """Argon2id that waits until it is let go on."""

    gate: threading.Event = field(default_factory=threading.Event, compare=False)

    def costs(self) -> dict[str, int]:
        return {"m": self.m, "t": self.t, "p": self.p}

    def derive(self, data: bytes, salt: bytes, length: int) -> bytes:
        assert self.gate.wait(30)
        return super().derive(data, salt, length)


async def test_a_full_queue_counts_nothing(database_url: str, tmp_path: Path) -> None:
    """503 with Retry-After for sign-in and registration; counters stay as they were; sessions are still checked."""
    scheme = Gated(8, 1, 1)
    scheme.gate.set()
    async with running(tmp_path, database=database_url, scheme=scheme, hash_workers=1, hash_queue=2) as kit:
        anna = await kit.signed_in("anna@example.com")
        scheme.gate.clear()
        early = [{"email": f"early{n}@example.com", "password": PASSWORD} for n in range(3)]
        pool = kit.engine.core.passwords.pool
        started = pool.accepted
        async with asyncio.TaskGroup() as group:
            busy = [group.create_task(kit.browser().post("/auth/register", json=body)) for body in early]
            for _ in range(2000):
                if pool.accepted == started + 3:
                    break
                await asyncio.sleep(0.005)
            before = [row for row in await kit.engine.core.database.all(COUNTERS) if _holds(row[1])]
            for number in range(6):
                registration = {"email": "new@example.com", "password": PASSWORD}
                for path, body in (
                    ("/auth/login", {"identifier": "late@example.com", "password": "wrong"}),
                    ("/auth/register", registration),
                ):
                    answer = await kit.browser("203.0.113.9").post(path, json=body)
                    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2"), (number, path)
                    assert answer.json()["code"] == "unavailable"
            assert (await anna.get("/auth/session")).status_code == 200
            after = [row for row in await kit.engine.core.database.all(COUNTERS) if _holds(row[1])]
            scheme.gate.set()
        assert after == before
        assert [task.result().status_code for task in busy] == [202] * 3
        for path, body in (
            ("/auth/login", {"identifier": "late@example.com", "password": "wrong"}),
            ("/auth/register", {"email": "new@example.com", "password": PASSWORD}),
        ):
            answer = await kit.browser("203.0.113.9").post(path, json=body)
            assert answer.status_code in {401, 202}
            assert answer.headers["ratelimit"].partition(";t=")[0] in {'"sign-in";r=19', '"register";r=29'}


def _holds(state: str) -> bool:
    """Whether a counter holds anything: a lockout without failures is as good as none."""
    return state not in {"", "[0,0,0]"}
