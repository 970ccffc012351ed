"""Owns what tests of the verifier start from."""

from collections.abc import AsyncIterator

import pytest

from ostiary.kernel.world import World
from ostiary.verifier import Verifier
from tests.verifier.hands import Hands
from tests.verifier.issuer import AUDIENCE, Issuer, serving


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """An issuer that is up."""
    async with serving() as issuer:
        yield issuer


@pytest.fixture
def hands() -> Hands:
    """The verifier's clock."""
    return Hands()


@pytest.fixture
async def verifier(issuer: Issuer, hands: Hands) -> AsyncIterator[Verifier]:
    """A verifier of that issuer, not started yet."""
    verifier = Verifier(issuer.url, AUDIENCE, world=World(clock=hands))
    yield verifier
    await verifier.close()
