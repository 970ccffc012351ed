"""Owns waiting for what happens soon in another task or thread."""

import asyncio
import time
from collections.abc import Callable

import pytest

from ostiary.protocols.jose.refusals import TokenRefused, Why
from ostiary.verifier import SyncVerifier, Verifier

PATIENCE = 20.0


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; a test that waits in vain fails."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "it never became so"
        await asyncio.sleep(0.005)


async def refused(verifier: Verifier, token: str) -> Why:
    """Why a token is refused."""
    with pytest.raises(TokenRefused) as caught:
        await verifier.verify(token)
    return caught.value.why


async def soon_refused(verifier: Verifier, token: str) -> TokenRefused:
    """Wait until a token that was good is refused."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            await verifier.verify(token)
        except TokenRefused as error:
            return error
        await asyncio.sleep(0.005)
    raise AssertionError("the token is still accepted")


def soon_refused_in_thread(verifier: SyncVerifier, token: str) -> TokenRefused:
    """Wait until a token that was good is refused."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            verifier.verify(token)
        except TokenRefused as error:
            return error
        time.sleep(0.005)
    raise AssertionError("the token is still accepted")
