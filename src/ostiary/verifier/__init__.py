"""The light verifier: a service checks ostiary's access tokens by itself, and hears within a second what was revoked.

    verifier = Verifier("https://id.example.com", audience="https://api.example.com")
    token = await verifier.verify(bearer)          # AccessToken, TokenRefused or Unavailable

It fetches the issuer's keys, follows the signed revocation feed, and judges every token here, without a call.
`SyncVerifier` does the same for threads. When the feed cannot be followed any more it says so at once, works on for
`tolerated_staleness`, and then refuses with `Unavailable`: it never guesses.

Needs `cryptography`, `orjson` and `httpcore2`; loads no database, no web framework and no server.
"""

from ostiary.kernel.errors import Unavailable
from ostiary.protocols.access_token import AccessToken
from ostiary.protocols.jose.refusals import TokenRefused, Why
from ostiary.verifier.follower import State
from ostiary.verifier.threaded import SyncVerifier
from ostiary.verifier.verifier import Verifier

__all__ = ["AccessToken", "State", "SyncVerifier", "TokenRefused", "Unavailable", "Verifier", "Why"]
