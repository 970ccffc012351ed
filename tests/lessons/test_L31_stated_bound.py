"""L31: copies of sessions made sign-out lag for minutes. A token is a copy, and it is trusted no longer than stated."""

import asyncio
import time
from datetime import timedelta

import pytest

from ostiary.kernel.errors import Unavailable
from ostiary.kernel.world import World
from ostiary.protocols.jose.refusals import TokenRefused
from ostiary.verifier import Verifier
from tests.verifier.hands import Hands
from tests.verifier.issuer import AUDIENCE, serving
from tests.verifier.waiting import soon_refused, until

GENEROUS = 5.0  # stated is a second; the bench shows the distribution
TOLERATED = timedelta(minutes=2)


async def test_an_ended_session_is_over_at_every_verifier() -> None:
    """Ten verifiers follow one issuer; a session ends, and all of them refuse its token, remembered as it is."""
    async with serving() as issuer:
        verifiers = [Verifier(issuer.url, AUDIENCE) for _ in range(10)]
        token = issuer.token()
        for verifier in verifiers:
            await verifier.verify(token)
            await verifier.verify(token)
        begun = time.monotonic()
        issuer.end_session()
        refusals = await asyncio.gather(*(soon_refused(verifier, token) for verifier in verifiers))
        assert time.monotonic() - begun < GENEROUS
        assert {error.code.name for error in refusals} == {"session_ended"}
        for verifier in verifiers:
            await verifier.close()


async def test_who_cannot_be_told_does_not_trust_longer_than_stated() -> None:
    """With the feed cut off a token counts for the tolerated time and not a moment longer, seen before or not."""
    hands = Hands()
    async with (
        serving() as issuer,
        Verifier(issuer.url, AUDIENCE, tolerated_staleness=TOLERATED, world=World(clock=hands)) as verifier,
    ):
        seen, unseen = issuer.token(), issuer.token(jti="unseen")
        await verifier.verify(seen)
        await issuer.down()
        await until(lambda: verifier.state.name == "stale")
        hands.turn(TOLERATED - timedelta(seconds=30))
        await verifier.verify(seen)
        hands.turn(timedelta(seconds=31))
        for token in (seen, unseen):
            with pytest.raises(Unavailable):
                await verifier.verify(token)
        assert verifier.state.name == "unavailable"


async def test_who_was_never_told_trusts_nobody() -> None:
    """A verifier that has the keys and not the feed accepts nothing: a start is no amnesty."""
    async with serving() as issuer:
        token = issuer.token()
        issuer.end_session()
        async with Verifier(issuer.url, AUDIENCE) as verifier:
            with pytest.raises(TokenRefused):
                await verifier.verify(token)
