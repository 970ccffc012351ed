"""Owns issuing and taking of single-use secrets."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import orjson

from ostiary.core.change import Change
from ostiary.core.keys.ring import Keyring, framed, purpose
from ostiary.core.once import store
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World, span_micros, to_micros
from ostiary.storage.database import Contended, Database, Reads, Transaction

CODES: Final = purpose("code", "Keyed MACs of six-digit codes.", kept_for=timedelta(days=90))
CODE_TRIES: Final = 5
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Use:
    """What a single-use secret is good for, and how long.

    Attributes:
        name: The purpose; a secret of one purpose is worth nothing for another (L06).
        lifetime: From issue to expiry.
    """

    name: str
    lifetime: timedelta


@dataclass(frozen=True, slots=True)
class Spent:
    """A secret that was taken: it is gone, and this is what it stood for."""

    subject: str
    data: dict[str, str]


@dataclass(frozen=True, slots=True)
class CodeTry:
    """A right code, not yet taken.

    Attributes:
        data: What it was issued with.
    """

    hash: bytes
    data: dict[str, str]


class Once:
    """Issues and takes.

    Args:
        world: Clock and chance.
        ring: Keys the MACs of codes.
    """

    def __init__(self, world: World, ring: Keyring) -> None:
        self._world = world
        self._ring = ring

    async def issue(
        self, change: Change, use: Use, subject: str, data: dict[str, str] | None = None, *, live: bool = True
    ) -> Secret:
        """A new 256-bit secret; the newest only is good, older ones of the same use and subject are dropped.

        Args:
            live: False does the same work for a secret that nobody can ever take, so that an unknown address costs
                what a known one does.
        """
        secret = self._world.token()
        owner = subject if live else self._world.id()
        await self._replace(change, use, owner, _hash(use, secret), "", 0, data if live else None)
        return secret

    async def issue_code(
        self,
        change: Change,
        use: Use,
        subject: str,
        data: dict[str, str] | None = None,
        *,
        live: bool = True,
        digits: Secret | None = None,
    ) -> Secret:
        """A new six-digit code of five tries; the newest only is good.

        Args:
            digits: The code itself, for one that is derived from a secret; otherwise it is drawn.
        """
        digits = digits or self._world.digits()
        owner = subject if live else self._world.id()
        mac = self._ring.mac(CODES, use.name, owner, digits.reveal())
        await self._replace(
            change, use, owner, self._world.bytes(32), mac, CODE_TRIES, data if live else None
        )
        return digits

    async def _replace(
        self,
        change: Change,
        use: Use,
        subject: str,
        row_hash: bytes,
        mac: str,
        tries: int,
        data: dict[str, str] | None,
    ) -> None:
        await change.run(
            store.ISSUE,
            hash=row_hash,
            purpose=use.name,
            subject=subject,
            mac=mac,
            tries_left=tries,
            data=orjson.dumps(data or {}).decode(),
            created_at=change.micros,
            expires_at=change.micros + span_micros(use.lifetime),
        )

    async def look(self, reads: Reads, use: Use, presented: Secret) -> Spent | None:
        """What a link secret stands for, without consuming it; taking it may still come to nothing."""
        row = await reads.one(
            store.LOOK, hash=_hash(use, presented), purpose=use.name, now=self._world.micros()
        )
        return None if row is None else Spent(row.subject, orjson.loads(row.data))

    async def take(self, change: Change, use: Use, presented: Secret) -> Spent | None:
        """Consume a link secret: one statement, so that of any number of requests one gets it."""
        row = await change.one(store.TAKE, hash=_hash(use, presented), purpose=use.name, now=change.micros)
        return None if row is None else Spent(row.subject, orjson.loads(row.data))

    async def take_of(self, change: Change, use: Use, subject: str) -> Spent | None:
        """Consume the secret that a subject has now, when something else proved that it may be."""
        row = await change.one(store.TAKE_OF, subject=subject, purpose=use.name, now=change.micros)
        return None if row is None else Spent(row.subject, orjson.loads(row.data))

    async def try_code(
        self, database: Database, use: Use, subjects: str | Sequence[str], presented: Secret
    ) -> CodeTry | None:
        """Spend one try of each subject's code, in a transaction of its own, and say whether one of them is right.

        The tries are spent before the codes are looked at, so concurrent guesses never get more than five each. And
        something is always written, so that a code that exists costs what one that does not exist costs.
        """
        names = (subjects,) if isinstance(subjects, str) else subjects
        try:
            return await self._try_codes(database, use, names, presented)
        except Contended:
            return await self._try_codes(database, use, names, presented)

    async def _try_codes(
        self, database: Database, use: Use, names: Sequence[str], presented: Secret
    ) -> CodeTry | None:
        found: CodeTry | None = None
        async with database.transaction() as tx:
            for subject in names:
                row = await tx.one(
                    store.SPEND_TRY, of_subject=subject, of_purpose=use.name, now=to_micros(self._world.now())
                )
                mac = row.mac if row else self._ring.mac(CODES, "nobody's")
                is_right = self._ring.check_mac(CODES, mac, use.name, subject, presented.reveal_bytes())
                if row is not None and is_right:
                    found = found or CodeTry(row.hash, orjson.loads(row.data))
            await self._write_something(tx)
        return found

    async def _write_something(self, tx: Transaction) -> None:
        """A row that comes and goes: the commit then costs a write, and nothing is left."""
        now = self._world.micros()
        row = self._world.bytes(32)
        await tx.run(
            store.ISSUE,
            hash=row,
            purpose="nothing",
            subject=self._world.id(),
            mac="",
            tries_left=0,
            data="{}",
            created_at=now,
            expires_at=now + 1,
        )
        await tx.one(store.TAKE, hash=row, purpose="nothing", now=now)

    async def take_code(self, change: Change, use: Use, tried: CodeTry) -> Spent | None:
        """Consume a code that `try_code` found right; of any number of requests one gets it."""
        row = await change.one(store.TAKE, hash=tried.hash, purpose=use.name, now=change.micros)
        return None if row is None else Spent(row.subject, orjson.loads(row.data))

    async def claim(self, change: Change, use: Use, name: str, expires_at: datetime) -> bool:
        """Whether this is the first time that `name` is claimed: how a sealed value is made to work once."""
        claimed = await change.run(
            store.CLAIM,
            hash=hashlib.sha256(framed("claim", use.name, name)).digest(),
            purpose=use.name,
            subject=name,
            mac="",
            tries_left=0,
            data="{}",
            created_at=change.micros,
            expires_at=to_micros(expires_at),
        )
        return claimed == 1

    async def sweep(self, tx: Transaction, batch: int) -> int:
        """Remove expired secrets, at most `batch`."""
        return await tx.run(store.SWEEP, now=self._world.micros(), batch=batch)


def read_code(typed: str) -> Secret | None:
    """The digits of a code as people type it, with spaces and dashes; None for what can be no code."""
    digits = typed.replace(" ", "").replace("-", "")
    is_code = len(digits) == _DIGITS and digits.isascii() and digits.isdigit()
    return Secret(digits) if is_code else None


def _hash(use: Use, secret: Secret) -> bytes:
    # The purpose is part of the hash, not only of the WHERE clause (L06). 256 bits of chance need no slow hash.
    return hashlib.sha256(framed("once", use.name, secret.reveal_bytes())).digest()
