"""Owns access tokens: what ours say (RFC 9068), signing them, and reading those that come back to us."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from ostiary.core.keys.signing.keys import SigningKeys
from ostiary.core.tokens.settings import TokenSettings
from ostiary.kernel.errors import SESSION_ENDED, Misuse, Refused, Unavailable
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.protocols import access_token
from ostiary.protocols.access_token import AccessToken
from ostiary.protocols.jose import jws, jwt
from ostiary.protocols.jose.refusals import TokenRefused, Why

# What people get by signing in here themselves: with it alone our own routes are called. A client of somebody else's
# never gets it.
ACCOUNT_SCOPE: Final = "account"
MOST_CLAIMS: Final = 2048  # bytes of JSON that a host may add
_OURS: Final = frozenset({
    "iss", "aud", "sub", "client_id", "iat", "nbf", "exp", "jti", "sid", "scope", "roles", "ver", "amr", "acr",
    "auth_time", "act", "cnf",
})  # fmt: skip
_PATIENCE: Final = timedelta(seconds=1)
_LEEWAY: Final = timedelta(seconds=5)  # for the clocks of our own processes


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token is made from.

    Attributes:
        version: Of the account's rights; a newer one makes the token stale.
        ends_at: When the session ends if nothing is heard of it; no token lives longer.
    """

    account_id: str
    session_id: str
    client_id: str
    scope: str
    roles: tuple[str, ...]
    version: int
    amr: tuple[str, ...]
    acr: str
    authenticated_at: datetime
    ends_at: datetime


Claims = Callable[[Grant], Awaitable[Mapping[str, Any]]]
"""What a host adds to its access tokens: JSON of at most 2 KiB, under names that are not ours, within a second."""


@dataclass(frozen=True, slots=True)
class Access:
    """A signed access token.

    Attributes:
        expires_in: Whole seconds.
    """

    token: Secret
    expires_in: int


class AccessTokens:
    """Signs and reads.

    Args:
        world: Clock and ids.
        signing: The keys.
        settings: Lifetime, audience, roles.
        issuer: Our base URL.
        claims: What the host adds.
    """

    def __init__(
        self,
        world: World,
        signing: SigningKeys,
        settings: TokenSettings,
        issuer: str,
        claims: Claims | None = None,
    ) -> None:
        self._world = world
        self._signing = signing
        self._lifetime = int(settings.access_lifetime.total_seconds())
        self._has_roles = settings.access_roles
        self._issuer = issuer
        self._audience = settings.access_audience or issuer
        self._expected = access_token.expected(issuer, self._audience, _LEEWAY)
        self._claims = claims

    async def sign(self, grant: Grant) -> Access:
        """A token for what is granted, for as long as the session can last.

        Raises:
            Refused: `session_ended`; it ends in this very second.
            Unavailable: the host's own claims did not come in time.
            Misuse: the host's own claims are too large, or named like ours.
        """
        own = await self._added(grant) if self._claims else {}
        issued = int(self._world.now().timestamp())
        expires = min(issued + self._lifetime, int(grant.ends_at.timestamp()))
        if expires <= issued:
            raise Refused(SESSION_ENDED, "it ends now")
        claims: dict[str, Any] = {
            **own,
            "iss": self._issuer,
            "aud": self._audience,
            "sub": grant.account_id,
            "client_id": grant.client_id,
            "iat": issued,
            "exp": expires,
            "jti": self._world.id(),
            "sid": grant.session_id,
            "scope": grant.scope,
            "ver": grant.version,
            "amr": grant.amr,
            "acr": grant.acr,
            "auth_time": int(grant.authenticated_at.timestamp()),
        }
        if self._has_roles:
            claims["roles"] = grant.roles
        token = jwt.write(self._signing.current, claims, access_token.TYPE)
        return Access(Secret(token), expires - issued)

    async def _added(self, grant: Grant) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                own = await self._claims(grant) if self._claims else {}
        except TimeoutError:
            raise Unavailable("the host's claims for a token took too long") from None
        if taken := own.keys() & _OURS:
            raise Misuse(f"token claims: {', '.join(sorted(taken))} cannot be the host's")
        if len(orjson.dumps(own)) > MOST_CLAIMS:
            raise Misuse(f"token claims: more than {MOST_CLAIMS} bytes of JSON")
        return own

    def read(self, token: str) -> AccessToken:
        """One of our own, made for whoever signed in here, and not expired. Whether its session lives is not asked.

        Raises:
            Refused: `token_invalid` or `token_expired`.
        """
        return self._judged(jwt.read(token, self._signing.published, self._expected, self._world.now()))

    def read_expired(self, token: str) -> AccessToken:
        """The same, also when it has expired: enough to end its session, and good for nothing else.

        Raises:
            Refused: `token_invalid`.
        """
        try:
            return self.read(token)
        except TokenRefused as refused:
            if refused.why is not Why.EXPIRED:
                raise
        message = jws.parse(token)  # everything else about it is right, or it were refused for that
        then = datetime.fromtimestamp(orjson.loads(message.payload)["exp"], UTC) - _LEEWAY
        return self._judged(jwt.read(token, self._signing.published, self._expected, then))

    def is_current(self, token: str) -> bool:
        """Whether it is one of our own that has not expired."""
        try:
            self.read(token)
        except Refused:
            return False
        return True

    def session_named(self, token: str) -> str:
        """The session that a token of ours names, expired or not; "" for anything else."""
        try:
            return self.read_expired(token).session_id or ""
        except Refused:
            return ""

    def _judged(self, token: jwt.Token) -> AccessToken:
        read = access_token.of(token)
        if ACCOUNT_SCOPE not in read.scopes or read.session_id is None:
            raise TokenRefused(Why.AUDIENCE, "not for our own routes")
        return read
