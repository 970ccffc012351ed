"""Owns the one-time codes that lead a front end from a redirect to tokens (E9): never a token in an address.

The front end sends its people to the sign-in page with a challenge (RFC 7636, S256), gets the code back in the address
of a destination that the operator registered, and exchanges it with the verifier that only it has.
"""

import hashlib
import re
from datetime import timedelta
from typing import Final

from ostiary.core.accounts import accounts
from ostiary.core.change import Change
from ostiary.core.flow import Runner
from ostiary.core.networks.networks import Networks
from ostiary.core.once.once import Once, Use
from ostiary.core.sessions.sessions import Sessions
from ostiary.core.tokens.settings import TOKENS
from ostiary.core.tokens.tokens import NewFamily, Pair, Tokens
from ostiary.kernel.errors import SESSION_ENDED, Refused, code
from ostiary.kernel.events import EventType
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal
from ostiary.kernel.secret import Secret
from ostiary.protocols.jose import base64url

CODE_INVALID: Final = code(
    "code_invalid",
    400,
    "The code is not valid. Sign in again.",
    "It was used, is older than a minute, belongs to another destination, or the verifier does not fit its challenge.",
)
CODE_EXCHANGED: Final = EventType(
    "code_exchanged",
    "A front end exchanged its one-time code for tokens.",
    fields=("session_id", "destination"),
    words="You were signed in at {destination}.",
)
EVENTS: Final = (CODE_EXCHANGED,)

CODE: Final = Use("front_end_code", timedelta(seconds=60))
LONGEST_VERIFIER: Final = 128
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)  # RFC 7636 section 4.1


def is_challenge(words: str) -> bool:
    """Whether this can be an S256 challenge (RFC 7636 section 4.2)."""
    return _CHALLENGE.fullmatch(words) is not None


class Codes:
    """Issues and exchanges.

    Args:
        runner: Runs flows.
        once: Keeps the codes, as hashes, and gives each away once.
        sessions: What a code stands for.
        tokens: What it is exchanged for.
    """

    def __init__(
        self, runner: Runner, once: Once, sessions: Sessions, tokens: Tokens, networks: Networks
    ) -> None:
        self._runner = runner
        self._once = once
        self._sessions = sessions
        self._tokens = tokens
        self._networks = networks

    async def issue(self, origin: Origin, who: Principal, destination: str, challenge: str) -> Secret:
        """A code for the session of whoever is signed in; the newest of a session only is good.

        Args:
            origin: Where the request came from.
            who: Whose session.
            destination: Registered by the operator; the code is good for it alone.
            challenge: Judged by `is_challenge`.
        """
        session_id = who.session_id or ""
        data = {"account": who.account_id, "destination": destination, "challenge": challenge}

        async def work(change: Change) -> Secret:
            return await self._once.issue(change, CODE, session_id, data)

        async with self._runner.flow(origin) as flow:
            return await flow.change(work)

    async def exchange(
        self, origin: Origin, presented: Secret, verifier: Secret, destination_origin: str | None
    ) -> Pair:
        """A pair of tokens for a code, once. A wrong verifier spends nothing: its sender may not be the code's owner.

        Args:
            origin: Where the request came from.
            presented: The code.
            verifier: What the challenge was made from.
            destination_origin: Where a browser says that the call comes from.

        Raises:
            Refused: `code_invalid`, `session_ended` or `network_refused`.
        """

        async def work(change: Change) -> NewFamily:
            return await self._taken(change, presented, verifier, destination_origin)

        async with self._runner.flow(origin) as flow:
            begun = await flow.change(work)
        return await self._tokens.pair(begun)

    async def _taken(
        self, change: Change, presented: Secret, verifier: Secret, destination_origin: str | None
    ) -> NewFamily:
        spent = await self._once.take(change, CODE, presented)
        if spent is None:
            raise Refused(CODE_INVALID, "unknown, used or expired", counted=False)
        destination = spent.data["destination"]
        if not is_verified(verifier, spent.data["challenge"]):
            raise Refused(CODE_INVALID, "the verifier does not fit", counted=False)
        if destination_origin is not None and not _is_at(destination, destination_origin):
            raise Refused(CODE_INVALID, "called from another origin than its destination", counted=False)
        await accounts.lock_active(change, spent.data["account"])
        await self._networks.admit(change, change.origin, spent.data["account"])
        live = await self._sessions.live(change, spent.data["account"])
        session = next((one for one in live if one.id == spent.subject), None)
        if session is None:
            raise Refused(SESSION_ENDED, "the session has ended meanwhile", counted=False)
        await change.emit(CODE_EXCHANGED(session.account_id, session_id=session.id, destination=destination))
        await self._tokens.make_room(change, session)
        return await self._tokens.begin(change, session, TOKENS)


def is_verified(verifier: Secret, challenge: str) -> bool:
    """Whether a verifier is what a challenge was made from (RFC 7636 section 4.6)."""
    try:
        words = verifier.reveal()
    except UnicodeDecodeError:
        return False
    if not _VERIFIER.fullmatch(words):
        return False
    return Secret(base64url.encode(hashlib.sha256(words.encode()).digest())).matches(challenge)


def _is_at(destination: str, origin: str) -> bool:
    return destination == origin or destination.startswith((f"{origin}/", f"{origin}?"))
