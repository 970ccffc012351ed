"""Families of refresh tokens against a model of them, whatever happens in whatever order (L32).

The model is a list of generations for each session. It says what every answer must be: no fork, no token that works
again once it did not, and no report of a theft but where one token came back too late.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import Status
from ostiary.core.accounts.address import parse_email
from ostiary.core.change import Change
from ostiary.core.mail.mailbox import Mailbox
from ostiary.core.tokens.access import Grant
from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import load
from ostiary.kernel.errors import Refused, Unavailable
from ostiary.kernel.origin import Origin
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.testing import Kit
from ostiary.testing.kit import CHEAP, PASSWORD
from tests.core.signin.stage import StoppedClock, changed, dump, journalled, set_status
from tests.support.server import ROOT_SECRET

SECOND: Final = timedelta(seconds=1)
GRACE, IDLE, LIFETIME = timedelta(seconds=10), timedelta(days=7), timedelta(days=30)
ROOT: Final = ROOT_SECRET
MOST: Final = 3
NUMBERS: Final = count()
WHICH: Final = st.integers(0, MOST - 1)
TIMES: Final = st.sampled_from([1, 1, 2, 8])


@dataclass
class Family:
    """What must be true of one.

    Attributes:
        tokens: By generation; None for one whose answer was lost.
        access: The latest access token, and until when it is good.
    """

    session: str
    tokens: list[str | None]
    begun_at: datetime
    rotated_at: datetime
    access: tuple[str, datetime]
    is_ended: bool = False
    told: Counter[str] = field(default_factory=Counter)

    @property
    def ends_at(self) -> datetime:
        """When it is over if it is not used."""
        return min(self.rotated_at + IDLE, self.begun_at + LIFETIME)

    def expected(self, generation: int, now: datetime) -> str:
        """What presenting this generation must lead to."""
        newest = len(self.tokens) - 1
        if self.is_ended:
            return "session_ended"
        if now >= self.ends_at:
            return "refresh_token_expired"
        if generation == newest:
            return "next"
        if generation == newest - 1 and now < self.rotated_at + GRACE:
            return "again"
        return "refresh_token_reused"


class Families(RuleBasedStateMachine):
    """One account with some sessions, on an engine that may be restarted."""

    url: str
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.clock = StoppedClock()
        self.families: list[Family] = []
        self.crashes = False
        self.reports = 0
        self.address = f"anna{next(NUMBERS)}@example.com"
        self.run(self.start())
        self.before = self.run(journalled(self.kit)).count("refresh_token_reused")
        self.account = self.run(self._account())
        self.sign_in()

    def run(self, work: Any) -> Any:
        """Run a coroutine to its end."""
        return self.loop.run(work)

    async def start(self) -> None:
        """Start an engine, as after a crash: nothing of the last one but its database."""
        world = World(clock=self.clock)
        given = {
            "dev": True, "data": self.folder, "database": self.url, "root_secret": ROOT,
            "lock_after": 1000, "known_browser_limit": 1000, "delay_after": 1000,
            "signin_failures_per_network": "1000/1m",
        }  # fmt: skip
        mailbox = Mailbox()
        engine = Engine(
            load(RIBS, world, given), RIBS, world, mailbox, CHEAP, token_claims=self._perhaps_crash
        )
        await engine.start(worker=False)
        self.kit = Kit(engine, self.clock, mailbox, "http://127.0.0.1:8000")

    async def _account(self) -> str:
        address = parse_email(self.address)
        password = await self.kit.engine.core.passwords.hash(Secret(PASSWORD))

        async def work(change: Change) -> str:
            account = await accounts.create_unless_known(change, address, "Anna", password)
            await accounts.prove_email(change, account, address)
            return account

        return await changed(self.kit, work)

    async def _perhaps_crash(self, _: Grant) -> Mapping[str, Any]:
        # An access token is signed when the rotation is durable, and before anybody hears of it.
        if self.crashes:
            raise Unavailable("the power went off")
        return {}

    def one(self, which: int) -> Family:
        """One of the latest families."""
        latest = self.families[-MOST:]
        return latest[which % len(latest)]

    def teardown(self) -> None:
        """Stop the engine."""
        self.run(self.kit.engine.stop())
        self.loop.close()

    # ── what may happen ──

    @precondition(lambda self: sum(not one.is_ended for one in self.families) < MOST)
    @rule()
    def sign_in(self) -> None:
        """Another session."""
        body = {"identifier": self.address, "password": PASSWORD, "delivery": "tokens"}
        answer = self.run(self.kit.browser().post("/auth/login", json=body))
        assert answer.status_code == 200, answer.text
        found, now = answer.json(), self.clock.now()
        access = (found["access_token"], now + timedelta(seconds=found["expires_in"]))
        self.families.append(Family(found["session"]["id"], [found["refresh_token"]], now, now, access))

    @rule(which=WHICH, times=TIMES)
    def rotate(self, which: int, times: int) -> None:
        """Present the newest token of a family, so many times at once."""
        self.present(which, 0, times)

    @rule(which=WHICH, times=TIMES)
    def replay(self, which: int, times: int) -> None:
        """Present the token before the newest."""
        self.present(which, 1, times)

    @rule(which=WHICH, after=st.sampled_from([GRACE - SECOND, GRACE, GRACE + SECOND]), times=TIMES)
    def come_back(self, which: int, after: timedelta, times: int) -> None:
        """Rotate, and present the same token once more, just before the grace is over or just after."""
        self.present(which, 0, 1)
        self.clock.turn(after)
        self.present(which, 1, times)

    @rule(which=WHICH, back=st.integers(2, 3), times=TIMES)
    def steal(self, which: int, back: int, times: int) -> None:
        """Present an older one."""
        self.present(which, back, times)

    def present(self, which: int, back: int, times: int) -> None:
        """Present a token, and compare every answer with the model."""
        family = self.one(which)
        generation = max(0, len(family.tokens) - 1 - back)
        token = family.tokens[generation]
        if token is None:
            return  # nobody has it
        expected = family.expected(generation, self.clock.now())
        answers = self.run(self._present(token, times))
        match expected:
            case "next":
                self._rotated(family)
                self._answered(family, generation + 1, answers)
            case "again":
                self._answered(family, generation + 1, answers)
            case "refresh_token_reused":
                # One of them ends the session, and the theft is reported once.
                assert Counter(answers) == Counter([expected] + ["session_ended"] * (times - 1))
                family.is_ended = True
                self.reports += 1
            case _:
                swept = "refresh_token_invalid"  # a month after its end the family is gone
                assert set(answers) <= {expected, swept}, (expected, answers)

    @rule(which=WHICH, times=st.sampled_from([1, 3]))
    def crash(self, which: int, times: int) -> None:
        """Rotate, and lose the answer; whoever asks again within the grace gets the successor all the same."""
        family = self.one(which)
        newest = len(family.tokens) - 1
        token = family.tokens[newest]
        if token is None or family.expected(newest, self.clock.now()) != "next":
            return
        self.crashes = True
        answers = self.run(self._present(token, times))
        self.crashes = False
        assert set(answers) == {"unavailable"}
        family.rotated_at = self.clock.now()
        family.tokens.append(None)

    def _rotated(self, family: Family) -> None:
        family.rotated_at = self.clock.now()
        family.tokens.append(None)

    def _answered(self, family: Family, generation: int, answers: list[Any]) -> None:
        assert all(isinstance(answer, tuple) for answer in answers), answers
        (successor,) = {refresh for refresh, _ in answers}
        assert family.tokens[generation] in (None, successor), "a fork"
        family.tokens[generation] = successor
        family.access = answers[0][1]

    async def _present(self, token: str, times: int) -> list[Any]:
        return list(await asyncio.gather(*(self._once(token) for _ in range(times))))

    async def _once(self, token: str) -> str | tuple[str, tuple[str, datetime]]:
        tokens = self.kit.engine.core.tokens
        try:
            pair = await tokens.refresh(Origin(), Secret(token), "tokens")
        except Refused as refused:
            return refused.code.name
        except Unavailable:
            return "unavailable"
        until = self.clock.now() + timedelta(seconds=pair.access.expires_in)
        return pair.refresh.reveal(), (pair.access.token.reveal(), until)

    @rule(by=st.sampled_from([SECOND, GRACE - SECOND, GRACE]))
    def wait(self, by: timedelta) -> None:
        """A moment passes."""
        self.clock.turn(by)

    @rule(by=st.sampled_from([timedelta(minutes=14), timedelta(days=3), IDLE - SECOND, IDLE]))
    def wait_long(self, by: timedelta) -> None:
        """Time passes."""
        self.clock.turn(by)

    @rule(which=WHICH)
    def revoke(self, which: int) -> None:
        """One session is ended by the latest token that anybody has of it."""
        family = self.one(which)
        token = next(token for token in reversed(family.tokens) if token is not None)
        answer = self.run(self.kit.browser().post("/auth/logout", json={"refresh_token": token}))
        assert answer.status_code == 204
        family.is_ended |= self.clock.now() < family.ends_at

    @rule(is_disabled=st.booleans())
    def end_all(self, is_disabled: bool) -> None:
        """The account is disabled and enabled again, or its password is changed: no old session comes back."""
        for status in (Status.DISABLED, Status.ACTIVE) if is_disabled else (Status.ACTIVE,):
            self.run(set_status(self.kit, self.account, status))
        for family in self.families:
            family.is_ended = True

    @rule()
    def restart(self) -> None:
        """Another process takes over."""
        self.run(self.kit.engine.stop())
        self.run(self.start())

    # ── what must be true at any time ──

    @invariant()
    def access_tokens_follow_their_sessions(self) -> None:
        """The latest access token of a session is good as long as both are."""
        for family in self.families:
            token, until = family.access
            now = self.clock.now()
            told = self.run(self._resolved(token))
            if family.is_ended or now >= family.ends_at:
                assert told in ("session_ended", "token_expired")
            elif now < until:
                assert told == family.session

    async def _resolved(self, token: str) -> str:
        try:
            return (await self.kit.engine.core.tokens.resolve(token)).session.id
        except Refused as refused:
            return refused.code.name

    @invariant()
    def one_row_for_each_session(self) -> None:
        """A family is one row, whatever happened to it; thefts are reported as often as there were any."""
        rows = Counter(row[1] for row in self.run(dump(self.kit))["refresh_family"])
        assert {rows[family.session] for family in self.families} <= {0, 1}  # none once it was swept
        told = self.run(journalled(self.kit)).count("refresh_token_reused") - self.before
        assert told == self.reports


def _walk(folder: Path, url: str, examples: int, steps: int) -> None:
    class Here(Families):
        pass

    Here.folder, Here.url = folder, url
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=examples < 100,  # the short one is the same for everybody
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        ),
    )


def test_families_are_what_the_model_says(database_url: str, tmp_path: Path) -> None:
    """A few walks, the same in every run."""
    _walk(tmp_path, database_url, examples=4, steps=30)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_families_are_what_the_model_says_for_long(database_url: str, tmp_path: Path) -> None:
    """Many walks, others in every run."""
    _walk(tmp_path, database_url, examples=150, steps=40)
