"""The client side: an `Auth` for httpx2 or httpx that keeps a user's pair of tokens alive.

    from ostiary.client.httpx2 import UserAuth        # or ostiary.client.httpx

    auth = UserAuth("https://id.example.com", tokens, origins=["https://api.example.com"], save=store)
    async with httpx2.AsyncClient(auth=auth) as client:
        await client.get("https://api.example.com/notes")

However many requests run at once, in tasks or in threads, one of them refreshes and the others wait for it. The new
pair is saved before it is used. `SessionOver` says that the user has to sign in again.

tokens   `Tokens`, and reading the issuer's answer
pair     `Pair`: which tokens are in force, and the one refresh under way
flow     what `Auth` does with a request
httpx, httpx2   `UserAuth` for each of the two
"""

from ostiary.client.tokens import SessionOver, Tokens
from ostiary.kernel.errors import Unavailable
from ostiary.kernel.secret import Secret

__all__ = ["Secret", "SessionOver", "Tokens", "Unavailable"]
