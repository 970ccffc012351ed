"""Owns `UserAuth` for httpx."""

from typing import ClassVar

import httpx

from ostiary.client.flow import PairFlow

__all__ = ["UserAuth"]


class UserAuth(PairFlow, httpx.Auth):
    """Keeps a user's pair of tokens alive, for `httpx.Client` and, on asyncio, `httpx.AsyncClient`.

    One of them may serve several clients at once. `PairFlow` says what its arguments are and which errors it raises.
    """

    _library: ClassVar = httpx
