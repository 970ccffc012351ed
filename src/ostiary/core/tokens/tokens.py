"""Owns the walk of tokens: the first pair of a session, the next pair for a refresh token, and whom a token is for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import orjson

from ostiary.core.change import Change
from ostiary.core.flow import Runner
from ostiary.core.keys.ring import Keyring
from ostiary.core.networks.networks import Networks
from ostiary.core.sessions.session import Resolved, Session, Span
from ostiary.core.sessions.sessions import Admit, Sessions
from ostiary.core.tokens import refresh, store
from ostiary.core.tokens.access import ACCOUNT_SCOPE, Access, AccessTokens, Grant
from ostiary.core.tokens.refresh import Presented, Verdict
from ostiary.core.tokens.settings import Delivery, TokenSettings
from ostiary.core.tokens.store import GrantRow, Rotated
from ostiary.kernel.errors import SESSION_ENDED, Refused, code
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.origin import Origin
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import from_micros, span_micros, to_micros
from ostiary.storage.database import Contended

REFRESH_MISSING: Final = code(
    "refresh_token_missing",
    400,
    "A refresh token is needed.",
    "Send it as `refresh_token`; a browser that keeps it in a cookie sends it by itself.",
)
REFRESH_INVALID: Final = code(
    "refresh_token_invalid",
    401,
    "The refresh token is not valid.",
    "It is none of ours, was altered, or came in another way than it was handed out. Sign in again.",
)
REFRESH_EXPIRED: Final = code(
    "refresh_token_expired",
    401,
    "The refresh token has expired. Sign in again.",
    "It was not used for `refresh_idle`, or its family is older than `refresh_lifetime`.",
)
REFRESH_REUSED: Final = code(
    "refresh_token_reused",
    401,
    "The refresh token was used before. Sign in again.",
    "Two hold the same token, and one of them is not its owner: the session has been ended for both.",
)
# A session has one family for each front end that it was led to, and not many more.
_MOST_FAMILIES: Final = 10
REUSED: Final = EventType(
    "refresh_token_reused",
    "A refresh token was presented again after its grace; its session was ended.",
    Severity.CRITICAL,
    ("session_id",),
    tell_owner=True,
    words="A device was signed out because its sign-in was used from two places.",
)
EVENTS: Final = (REUSED,)
# Why a session ends at a refresh that shows too little for what is demanded by now.
_NEEDS_FACTOR: Final = "factor_required"

# (change, account, session, class of what that showed) → whether the sign-in may not be prolonged with that any more.
HoldsBack = Callable[[Change, str, str, str], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class NewFamily:
    """A family that was just written; its access token is signed after the commit.

    Attributes:
        keep_for: How long the refresh token is good, if it is not used.
    """

    refresh: Secret
    grant: Grant
    delivery: Delivery
    keep_for: timedelta


@dataclass(frozen=True, slots=True)
class Pair:
    """An access token, and the refresh token for the next one."""

    access: Access
    refresh: Secret
    session_id: str
    delivery: Delivery
    keep_for: timedelta


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose live session a credential belongs to.

    Attributes:
        is_current: Whether the credential still signs in. One that has expired or was used before ends its own
            session, and does nothing else.
    """

    resolved: Resolved
    is_current: bool


class Tokens:
    """Everything that happens to tokens.

    Args:
        runner: Runs flows.
        ring: Keys of refresh tokens.
        sessions: What tokens belong to.
        access: Signs.
        settings: Lifetimes.
        holds_back: Who may not go on without a second factor.
        networks: From where a session may go on.
        needs_proof: Nobody is signed in before the address is proven.
    """

    def __init__(
        self,
        runner: Runner,
        ring: Keyring,
        sessions: Sessions,
        access: AccessTokens,
        settings: TokenSettings,
        holds_back: HoldsBack,
        networks: Networks,
        *,
        needs_proof: bool,
    ) -> None:
        self._runner = runner
        self._ring = ring
        self._sessions = sessions
        self._access = access
        self._settings = settings
        self._holds_back = holds_back
        self._networks = networks
        self._needs_proof = needs_proof
        self._idle = span_micros(settings.refresh_idle)
        self._grace = span_micros(settings.refresh_grace)
        self.span: Final = Span(settings.refresh_idle, settings.refresh_lifetime)

    # ── the first pair ──

    async def begin(self, change: Change, session: Session, delivery: Delivery) -> NewFamily:
        """Write the family of a session."""
        family, now = self._runner.world.id(), change.micros
        made = refresh.first(self._ring, family, self._runner.world.token())
        ends_at = to_micros(session.expires_at)
        expires_at = min(now + self._idle, ends_at)
        client_id = self._settings.first_party_client
        await change.run(
            store.ADD,
            id=family,
            session_id=session.id,
            client_id=client_id,
            delivery=delivery,
            scope=ACCOUNT_SCOPE,
            generation=made.generation,
            current_hash=made.hash,
            previous_hash=None,
            rotated_at=now,
            created_at=now,
            expires_at=expires_at,
            ends_at=ends_at,
        )
        rights = await change.one(store.RIGHTS, account_id=session.account_id, now=change.micros)
        return NewFamily(
            refresh.write(self._ring, made),
            _of_session(session, client_id, rights or store.Rights(0, "", None)),
            delivery,
            from_micros(expires_at) - change.now,
        )

    async def pair(self, begun: NewFamily) -> Pair:
        """The first pair, once the family is durable."""
        access = await self._access.sign(begun.grant)
        return Pair(access, begun.refresh, begun.grant.session_id, begun.delivery, begun.keep_for)

    async def access(self, resolved: Resolved) -> Access:
        """An access token for the session of a browser."""
        now = self._runner.world.micros()
        rights = await self._runner.database.one(store.RIGHTS, account_id=resolved.account.id, now=now)
        if rights is None:
            raise Refused(SESSION_ENDED, "the account is gone")
        return await self._access.sign(
            _of_session(resolved.session, self._settings.first_party_client, rights)
        )

    async def make_room(self, change: Change, session: Session) -> None:
        """Let a session have one family more: what is over goes, and the oldest beyond a few."""
        await change.run(store.MAKE_ROOM, of_session=session.id, now=change.micros, most=_MOST_FAMILIES - 1)

    # ── the next pair ──

    async def refresh(
        self, origin: Origin, token: Secret, delivery: Delivery, session_id: str | None = None
    ) -> Pair:
        """Exchange a refresh token: the same token gives the same successor within the grace, and once in all.

        Args:
            origin: Where the request came from.
            token: As it was presented.
            delivery: How it came; a token that was handed out in another way is none.
            session_id: Whose it must be, where a cookie said so.

        Raises:
            Refused: `refresh_token_invalid`, `refresh_token_expired`, `refresh_token_reused`, `session_ended` or
                `network_refused`, which leaves the token as it is.
        """
        presented = refresh.read(self._ring, token)
        if presented is None:
            raise Refused(REFRESH_INVALID, "malformed or not ours", counted=False)
        following = refresh.successor(self._ring, presented)

        async def work(change: Change) -> GrantRow | Refused:
            return await self._exchange(change, presented, following.hash, delivery, session_id)

        async with self._runner.flow(origin) as flow:
            granted = await flow.change(work)
        if isinstance(granted, Refused):  # only now: what it ended is committed
            raise granted
        now = self._runner.world.now()
        grant = _of_row(granted, now)
        keep_for = min(self._settings.refresh_idle, from_micros(granted.session.ends_at) - now)
        return Pair(
            await self._access.sign(grant),
            refresh.write(self._ring, following),
            grant.session_id,
            delivery,
            keep_for,
        )

    async def _exchange(
        self,
        change: Change,
        presented: Presented,
        successor: bytes,
        delivery: Delivery,
        session_id: str | None,
    ) -> GrantRow | Refused:
        """What the token stands for; or the refusal of a holder whose session this has ended."""
        whose = {
            "of_id": presented.family,
            "of_client": self._settings.first_party_client,
            "of_delivery": delivery,
        }
        rotated = await change.one(
            store.ROTATE,
            **whose,
            of_generation=presented.generation,
            presented=presented.hash,
            successor=successor,
            now=change.micros,
            slides_to=change.micros + self._idle,
            needs_proof=int(self._needs_proof),
        )
        granted = await (
            self._judged(change, presented, whose) if rotated is None else self._touched(change, rotated)
        )
        if isinstance(granted, Refused):
            return granted
        if session_id not in (None, granted.family.session_id):
            raise Refused(REFRESH_INVALID, "another session's", counted=False)
        await self._networks.admit(change, change.origin, granted.session.account_id)
        whose_session = granted.session.account_id, granted.family.session_id
        if await self._holds_back(change, *whose_session, granted.session.acr):
            await self._end(change, granted, _NEEDS_FACTOR)
            return Refused(SESSION_ENDED, "a second factor is required by now", counted=False)
        return granted

    async def _touched(self, change: Change, rotated: Rotated) -> GrantRow:
        touched = await change.one(store.TOUCH, of_session=rotated.session_id, now=change.micros)
        if touched is None:
            raise Refused(SESSION_ENDED, "it was ended meanwhile", counted=False)
        return GrantRow(rotated, touched)

    async def _judged(
        self, change: Change, presented: Presented, whose: dict[str, str]
    ) -> GrantRow | Refused:
        state = await change.one(store.STATE, **whose, now=change.micros)
        if state is None:
            raise Refused(REFRESH_INVALID, "no such family, or not handed out like this", counted=False)
        match refresh.judge(presented.hash, state, change.micros, self._grace, needs_proof=self._needs_proof):
            case Verdict.REPLAYED:
                return state.grant
            case Verdict.REUSED:
                account_id, ended = await self._end(change, state.grant, REUSED.name)
                await change.emit(REUSED(account_id, session_id=ended))
                return Refused(REFRESH_REUSED, "used before")
            case Verdict.EXPIRED:
                raise Refused(REFRESH_EXPIRED, "idle for too long, or too old", counted=False)
            case Verdict.ENDED:
                raise Refused(SESSION_ENDED, "the session, the account or the policy", counted=False)
            case Verdict.GOOD:
                raise Contended("the gates of a refresh opened between two looks")

    async def _end(self, change: Change, grant: GrantRow, why: str) -> tuple[str, str]:
        account_id, session_id = grant.session.account_id, grant.family.session_id
        if not await self._sessions.end(change, account_id, session_id, why):
            raise Refused(SESSION_ENDED, "it was ended meanwhile", counted=False)
        return account_id, session_id

    # ── whom a token is for ──

    async def resolve(self, token: str, admit: Admit | None = None) -> Resolved:
        """Who an access token speaks for: judged by its signature, and against the session as it is now.

        Raises:
            Refused: `token_invalid`, `token_expired` or `session_ended`; what `admit` raises.
        """
        read = self._access.read(token)
        resolved = await self._sessions.resolve_proven(read.subject, read.session_id or "")
        if admit is not None:
            await admit(resolved.account.id)
        return resolved

    def session_named(self, token: str) -> str:
        """The session that an access token of ours names, expired or not; "" for anything else."""
        return self._access.session_named(token)

    async def owner(self, *, access: str | None = None, refresh_token: Secret | None = None) -> Holder | None:
        """Whose session a token belongs to, for ending it: also when the token has expired or was used before."""
        try:
            if access is not None:
                read = self._access.read_expired(access)
                resolved = await self._sessions.resolve_proven(read.subject, read.session_id or "")
                return Holder(resolved, self._access.is_current(access))
            presented = refresh.read(self._ring, refresh_token or Secret(""))
            if presented is None:
                return None
            found = await self._runner.database.one(store.OWNER, of_id=presented.family)
            if found is None:
                return None
            resolved = await self._sessions.resolve_proven(found.account_id, found.session_id)
            is_current = Secret(found.current_hash).matches(presented.hash)
            return Holder(resolved, is_current and self._runner.world.micros() < found.expires_at)
        except Refused:
            return None


def _of_session(session: Session, client_id: str, rights: store.Rights) -> Grant:
    return Grant(
        session.account_id,
        session.id,
        client_id,
        ACCOUNT_SCOPE,
        _names(rights.roles),
        rights.version,
        session.amr,
        session.acr,
        session.authenticated_at,
        _before(min(session.expires_at, session.last_seen_at + session.idle_for), rights.roles_until),
    )


def _of_row(row: GrantRow, now: datetime) -> Grant:
    family, session = row.family, row.session
    return Grant(
        session.account_id,
        family.session_id,
        family.client_id,
        family.scope,
        _names(session.roles),
        session.version,
        tuple(orjson.loads(session.amr)),
        session.acr,
        from_micros(session.authenticated_at),
        _before(
            min(from_micros(session.ends_at), now + timedelta(microseconds=session.idle_for)),
            session.roles_until,
        ),
    )


def _before(ends_at: datetime, roles_until: int | None) -> datetime:
    """When a token must end: with its session, or with the first of the roles that it names, to the second."""
    return ends_at if roles_until is None else min(ends_at, from_micros(roles_until) + timedelta(seconds=1))


def _names(lines: str) -> tuple[str, ...]:
    return tuple(sorted(lines.split("\n"))) if lines else ()
