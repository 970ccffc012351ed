"""Owns `UserAuth` for httpx2."""

from typing import ClassVar

import httpx2

from ostiary.client.flow import PairFlow

__all__ = ["UserAuth"]


class UserAuth(PairFlow, httpx2.Auth):
    """Keeps a user's pair of tokens alive, for `httpx2.Client` and, on asyncio, `httpx2.AsyncClient`.

    One of them may serve several clients at once. `PairFlow` says what its arguments are and which errors it raises.
    """

    _library: ClassVar = httpx2
