"""Owns throw-away ribs: a second factor and a way in that the engine has never heard of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2
from fastapi import APIRouter, Response
from starlette.requests import Request

from ostiary.core.accounts import accounts
from ostiary.core.accounts.address import find_email
from ostiary.core.change import Change, Subscriber, on
from ostiary.core.once.once import Use
from ostiary.core.signin.door import SIGNED_IN
from ostiary.core.signin.ways import Candidate, Enrolled, Factor, Proof, Proven
from ostiary.core.tokens.settings import COOKIE, Delivery
from ostiary.core.wiring import Parts
from ostiary.http.access import PUBLIC
from ostiary.http.arrival import answer
from ostiary.http.entrance import begin
from ostiary.http.inputs import CurrentCore, JsonBody
from ostiary.http.rib import Rib
from ostiary.http.routing import JsonRoutes
from ostiary.http.visit import visit_of
from ostiary.kernel.events import Event
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.storage.database import Reads
from ostiary.testing import Browser, Kit
from ostiary.testing.drivers import WayDriver

_WORD_USE = Use("test_word", timedelta(minutes=10))


@dataclass
class WordOfTheDay:
    """A second factor: whoever is enrolled must say a word.

    Attributes:
        words: Who is enrolled, with which word.
        is_single_use: A word is good for one sign-in.
        is_careless: Accepts whatever is said, even nothing.
    """

    words: dict[str, str] = field(default_factory=dict)
    is_single_use: bool = True
    is_careless: bool = False
    name: str = "word"

    @property
    def rib(self) -> Rib:
        """What the engine is given."""
        return Rib(name=f"{self.name}_rib", factors=self._factors)

    def _factors(self, parts: Parts) -> Sequence["_WordFactor"]:
        return (_WordFactor(self, parts),)


class _WordFactor(Factor):
    def __init__(self, day: WordOfTheDay, parts: Parts) -> None:
        self.name = day.name
        self.label = day.name.capitalize()
        self.is_digits = False
        self._day = day
        self._parts = parts

    async def is_enrolled(self, reads: Reads, account_id: str) -> bool:
        return account_id in self._day.words

    async def listing(self, reads: Reads, account_id: str) -> list[Enrolled]:
        return [Enrolled(self.name, "", "", self._parts.world.now(), None)]

    async def remove_all(self, change: Change, account_id: str) -> bool:
        return self._day.words.pop(account_id, None) is not None

    async def prove(self, reads: Reads, account_id: str, answer: Secret, attempt_id: str) -> Proven | None:
        if not (self._day.is_careless or answer.matches(self._day.words[account_id])):
            return None
        proof = Proof("otp", self._parts.world.now(), self.name)
        if not self._day.is_single_use:
            return Proven(proof)

        async def take(change: Change) -> bool:
            claim = f"{self.name}:{account_id}:{answer.reveal()}"
            until = change.now + timedelta(days=1)
            return await self._parts.once.claim(change, _WORD_USE, claim, until)

        return Proven(proof, take)


class KnockBody(JsonBody):
    """Who knocks, and how often: three times is right."""

    email: str
    knocks: int
    delivery: Delivery = COOKIE


class KnockWay:
    """A way in by knocking three times."""

    name = "knock"

    def __init__(self, world: World) -> None:
        self._world = world

    async def identify(self, reads: Reads, submission: KnockBody) -> Candidate:
        """Look the address up."""
        found = await accounts.find(reads, submission.email)
        return Candidate(
            accounts.canonical_subject(found, submission.email, find_email(submission.email)),
            found.account_id if found else None,
            found.security_epoch if found else 0,
        )

    async def prove(self, reads: Reads, candidate: Candidate, submission: KnockBody) -> Proven | None:
        """Three times."""
        return Proven(Proof("user", self._world.now(), self.name)) if submission.knocks == 3 else None


_router = APIRouter()


@_router.post("/auth/knock")
async def knock(body: KnockBody, request: Request, response: Response, core: CurrentCore) -> dict[str, Any]:
    """Sign in by knocking."""
    visit = visit_of(request.scope)
    entry = await begin(visit, remember=False, delivery=body.delivery)
    outcome = await core.door.enter(entry, KnockWay(core.world), body)
    found, cookies = answer(visit, outcome, entry.pre_session, None)
    response.raw_headers.extend(cookies)
    return found


class KnockDriver(WayDriver):
    """Knocks, for tests that ask something of every way in."""

    name = KnockWay.name
    settings: Mapping[str, object] = {}
    proves_mailbox = False
    is_multi_factor = False

    async def prepare(self, kit: Kit, browser: Browser, address: str, delivery: Delivery = COOKIE) -> Any:
        """Nothing."""

    async def enter(
        self, browser: Browser, address: str, prepared: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Three times."""
        return await browser.post("/auth/knock", json={"email": address, "knocks": 3, "delivery": delivery})

    async def miss(
        self, browser: Browser, address: str, prepared: Any, delivery: Delivery = COOKIE
    ) -> httpx2.Response:
        """Once."""
        return await browser.post("/auth/knock", json={"email": address, "knocks": 1, "delivery": delivery})


KNOCK = Rib(name="knock", ways=(KnockWay.name,), json_routes=(JsonRoutes(_router, PUBLIC),))


async def _burst(change: Change, event: Event) -> None:
    raise RuntimeError("a subscriber broke")


def _bursting(parts: Parts) -> Sequence[Subscriber]:
    return (on(SIGNED_IN, _burst),)


BURSTING = Rib(name="bursting", subscribers=_bursting)
