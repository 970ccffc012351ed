"""Owns the life of a session: start, resolve, touch, end. Only the sign-in door calls `start`."""

import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from ostiary.core.accounts.accounts import Account, from_row, why_barred
from ostiary.core.accounts.store import AccountRow
from ostiary.core.change import Change
from ostiary.core.device import read_device
from ostiary.core.sessions import store
from ostiary.core.sessions.session import Resolved, Session, Span, session_of
from ostiary.core.sessions.settings import SessionSettings
from ostiary.kernel.errors import FRESH_REQUIRED, SESSION_ENDED, Misuse, Refused, Unavailable, code
from ostiary.kernel.events import Event, EventType
from ostiary.kernel.principal import Principal
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import ID_LENGTH, World, span_micros, to_micros
from ostiary.storage.database import Conflict, Database, Reads, Transaction

__all__ = ["Resolved", "Session", "Sessions", "Span", "refuse_unless_fresh", "session_id_of"]

NOT_AUTHENTICATED: Final = code(
    "not_authenticated", 401, "Sign in first.", "No credential was sent, or it is not one of ours."
)
SESSION_REQUIRED: Final = code(
    "session_required",
    403,
    "An API key is not enough here. Sign in.",
    "This is for people who are signed in; a key never does what guards an account.",
)
CREATED: Final = EventType("session_created", "A session began.", fields=("session_id", "remembered"))
ENDED: Final = EventType(
    "session_ended",
    "A session was ended before its time.",
    fields=("session_id", "why"),
    words="A device was signed out.",
)
EVENTS: Final = (CREATED, ENDED)

_SECRET_LENGTH: Final = 43  # 32 bytes as unpadded base64url
_DATA_LIMIT: Final = 4096
_KEPT: Final = timedelta(days=30)
_log: Final = logging.getLogger("ostiary.sessions")


def _hash(session_id: str, secret: str) -> bytes:
    return hashlib.sha256(f"session:{session_id}:{secret}".encode()).digest()


def session_id_of(token: str) -> str | None:
    """The id in a well-formed session token; None for nonsense. Says nothing about whether it is genuine."""
    session_id, dot, secret = token.partition(".")
    well_formed = (
        dot
        and len(session_id) == ID_LENGTH
        and len(secret) == _SECRET_LENGTH
        and token.isascii()
        and "\0" not in token
    )
    return session_id if well_formed else None


def refuse_unless_fresh(who: Principal, limit: timedelta, now: datetime) -> None:
    """Demand a recent proof (RFC 9470).

    Args:
        limit: How old the last proof may be.

    Raises:
        Refused: `fresh_authentication_required`, with `max_age` in seconds; `session_required` of an API key, which
            says nothing of when somebody has proven anything.
    """
    if who.session_id is None:
        raise Refused(SESSION_REQUIRED, "no session, so nothing was proven", counted=False)
    if now - who.authenticated_at > limit:
        raise Refused(
            FRESH_REQUIRED, "the last proof is too old", details={"max_age": int(limit.total_seconds())}
        )


# Raises `Refused` for an account that may not go on as things are.
Admit = Callable[[str], Awaitable[None]]


class Sessions:
    """Everything that happens to sessions.

    Args:
        world: Clock and chance.
        database: Where they live.
        settings: Lifetimes and limits.
    """

    def __init__(self, world: World, database: Database, settings: SessionSettings) -> None:
        self._world = world
        self._database = database
        self._settings = settings
        self._touch_every = span_micros(settings.last_seen_every)

    async def resolve(self, token: str, admit: Admit | None = None, *, is_use: bool = True) -> Resolved:
        """Who a session token speaks for, checking secret, both time-outs, the account and its epoch.

        Args:
            token: From the cookie.
            admit: Judges the account; a session that it refuses is not touched.
            is_use: It counts as seen by this. Asking whose it is, to end it, is no use of it.

        Raises:
            Refused: `not_authenticated` for nonsense or an unknown session; `session_ended` for one that is over; what
                `admit` raises.
        """
        session_id = session_id_of(token)
        if session_id is None:
            raise Refused(NOT_AUTHENTICATED, "malformed session token")
        columns = await self._database.one(store.RESOLVE, id=session_id)
        if columns is None:
            raise Refused(NOT_AUTHENTICATED, "unknown session")
        secret_hash = columns[store.SESSION_WIDTH]
        if not Secret(_hash(session_id, token[ID_LENGTH + 1 :])).matches(secret_hash):
            raise Refused(NOT_AUTHENTICATED, "wrong session secret")
        resolved, row = self._judge(columns)
        if admit is not None:
            await admit(resolved.account.id)
        now = self._world.micros()
        if is_use and now - row.last_seen_at >= self._touch_every:
            await self._touch(row, now)
        return resolved

    async def resolve_proven(self, account_id: str, session_id: str) -> Resolved:
        """The same for a session that a signature of ours has named; it is not touched by that.

        Raises:
            Refused: `session_ended`.
        """
        columns = await self._database.one(store.RESOLVE, id=session_id)
        if columns is None:
            raise Refused(SESSION_ENDED, "the session is gone")
        resolved, _ = self._judge(columns)
        if resolved.account.id != account_id:
            raise Refused(SESSION_ENDED, "the session is another account's")
        return resolved

    def _judge(self, columns: tuple[Any, ...]) -> tuple[Resolved, store.SessionRow]:
        width = store.SESSION_WIDTH
        row = store.SessionRow(*columns[:width])
        _, epoch, ended_at = columns[width : width + 3]
        account = from_row(AccountRow(*columns[width + 3 :]))
        now = self._world.micros()
        if ended_at is not None or now >= row.expires_at or now >= row.last_seen_at + row.idle_for:
            raise Refused(SESSION_ENDED, "ended, idle or expired")
        if reason := why_barred(account, epoch):
            raise Refused(SESSION_ENDED, reason)
        session = session_of(row)
        principal = Principal(account.id, session.id, session.amr, session.acr, session.authenticated_at)
        return Resolved(session, account, principal), row

    async def _touch(self, row: store.SessionRow, now: int) -> None:
        # Compare-and-swap: of many concurrent requests one writes, and an ended session is never revived.
        try:
            async with self._database.transaction() as tx:
                await tx.run(store.TOUCH, of_id=row.id, was_seen_at=row.last_seen_at, now=now)
        except Unavailable as error:
            # A database that can be read but not written (a standby) still answers who this is.
            _log.warning("last-seen was not written: %s", error)

    def require_fresh(self, who: Principal) -> None:
        """Demand a recent sign-in, before anything that guards the account is changed (ASVS 7.5.1).

        Raises:
            Refused: `fresh_authentication_required`.
        """
        refuse_unless_fresh(who, self._settings.fresh_for, self._world.now())

    async def start(
        self,
        change: Change,
        account: Account,
        amr: tuple[str, ...],
        acr: str,
        *,
        is_remembered: bool,
        span: Span | None = None,
        until: datetime | None = None,
    ) -> tuple[Session, Secret]:
        """Begin a session for an account whose row this change has locked; ends the oldest over the limit.

        Args:
            is_remembered: It outlasts the browser.
            span: How long it may live, if no browser keeps it.
            until: It ends then at the latest.

        Returns:
            The session and the token for the cookie, which is nowhere else.
        """
        settings = self._settings
        await self._end_rows(
            change,
            account.id,
            await change.all(
                store.END_OLDEST,
                of_account=account.id,
                now=change.micros,
                keep=settings.sessions_per_account - 1,
                why="limit",
            ),
            "limit",
        )
        if span is None:
            span = (
                Span(settings.remember_idle, settings.remember_lifetime)
                if is_remembered
                else Span(settings.session_idle, settings.session_lifetime)
            )
            # The latest request may not have been written: in doubt for the user, never against.
            span = replace(span, idle=span.idle + settings.last_seen_every)
        expires_at = change.micros + span_micros(span.lifetime)
        secret = self._world.token().reveal()
        device = read_device(change.origin.user_agent)
        row = store.SessionRow(
            self._world.id(),
            account.id,
            change.micros,
            change.micros,
            expires_at if until is None else min(expires_at, to_micros(until)),
            span_micros(span.idle),
            change.micros,
            orjson.dumps(amr).decode(),
            acr,
            int(is_remembered),
            change.origin.ip,
            device.device,
            device.browser,
            "{}",
        )
        await change.run(
            store.ADD,
            id=row.id,
            account_id=row.account_id,
            secret_hash=_hash(row.id, secret),
            security_epoch=account.security_epoch,
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            expires_at=row.expires_at,
            idle_for=row.idle_for,
            authenticated_at=row.authenticated_at,
            amr=row.amr,
            acr=row.acr,
            is_remembered=row.is_remembered,
            ip=row.ip,
            user_agent=change.origin.user_agent,
            device=row.device,
            browser=row.browser,
            data=row.data,
            ended_at=None,
            ended_why="",
        )
        await change.emit(CREATED(account.id, session_id=row.id, remembered=is_remembered))
        return session_of(row), Secret(f"{row.id}.{secret}")

    async def renew(
        self, change: Change, who: Principal, *, amr: tuple[str, ...] | None = None, acr: str | None = None
    ) -> tuple[Session, Secret] | None:
        """Give a live session another id and secret, after what guards the account has changed (ASVS 7.2.4).

        Lifetimes, proofs and data stay; the old id is refused from now on. The new one stands at the account's
        present epoch, so it survives a change that raises it.

        Args:
            amr: All that is proven now, when more is than before.
            acr: The class of that.

        Returns:
            The session and its token for the cookie; None when there is no such live session.
        """
        old_id = who.session_id or ""
        # First the guarded end: of two renewals at once one finds nothing to end.
        if not await self.end(change, who.account_id, old_id, "renewed"):
            return None
        new_id, secret = self._world.id(), self._world.token().reveal()
        row = await change.one(
            store.RENEW,
            of_id=old_id,
            of_account=who.account_id,
            new_id=new_id,
            new_secret_hash=_hash(new_id, secret),
            new_amr=orjson.dumps(who.amr if amr is None else amr).decode(),
            new_acr=who.acr if acr is None else acr,
            now=change.micros,
        )
        if row is None:
            raise Conflict("session")
        await change.emit(CREATED(who.account_id, session_id=new_id, remembered=bool(row.is_remembered)))
        return session_of(row), Secret(f"{new_id}.{secret}")

    async def is_live(self, reads: Reads, who: Principal) -> bool:
        """Whether the session through which somebody acts lives at this moment."""
        return who.session_id in {session.id for session in await self.live(reads, who.account_id)}

    async def live(self, reads: Reads, account_id: str) -> list[Session]:
        """The sessions that an account has now, oldest first."""
        rows = await reads.all(store.LIVE, account_id=account_id, now=self._world.micros())
        return [session_of(row) for row in rows]

    async def end(self, change: Change, account_id: str, session_id: str, why: str) -> bool:
        """End one session of this account; False when it has no such live session."""
        ended = await change.run(
            store.END, of_id=session_id, of_account=account_id, now=change.micros, why=why
        )
        if ended:
            await change.emit(ENDED(account_id, session_id=session_id, why=why))
        return bool(ended)

    async def end_all(self, change: Change, account_id: str, why: str, *, keep: str = "") -> int:
        """End every session of an account, but for the one named `keep`.

        Returns:
            How many were ended.
        """
        ids = await change.all(
            store.END_ALL, of_account=account_id, except_id=keep, now=change.micros, why=why
        )
        await self._end_rows(change, account_id, ids, why)
        return len(ids)

    async def _end_rows(self, change: Change, account_id: str, ids: list[str], why: str) -> None:
        for session_id in ids:
            await change.emit(ENDED(account_id, session_id=session_id, why=why))

    async def react(self, change: Change, event: Event) -> None:
        """Reaction to events with the trait `ends_sessions`."""
        if event.account_id:
            await self.end_all(change, event.account_id, event.type.name)

    async def set_data(self, change: Change, session_id: str, data: dict[str, Any]) -> None:
        """Replace the host's own values.

        Raises:
            Misuse: as JSON they are larger than 4 KiB.
        """
        document = orjson.dumps(data)
        if len(document) > _DATA_LIMIT:
            raise Misuse(f"session data: {len(document)} bytes of JSON, at most {_DATA_LIMIT} fit")
        await change.run(store.SET_DATA, of_id=session_id, new_data=document.decode())

    async def sweep(self, tx: Transaction, batch: int) -> int:
        """Remove sessions that expired more than 30 days ago, at most `batch`."""
        return await tx.run(store.SWEEP, before=self._world.micros() - span_micros(_KEPT), batch=batch)
