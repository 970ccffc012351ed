"""Owns `Passwords`: judging, hashing and verifying, as every feature that handles a password does it."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ostiary.core.passwords.breaches.check import Breaches
from ostiary.core.passwords.codes import (
    PASSWORD_INVALID_CHARACTERS,
    PASSWORD_REUSED,
    PASSWORD_TOO_LONG,
    VIOLATION_CODES,
)
from ostiary.core.passwords.pepper import Pepper
from ostiary.core.passwords.phc import Phc, is_key_id, parse
from ostiary.core.passwords.pool import HashingPool, default_workers, queue_size
from ostiary.core.passwords.schemes import SALT_BYTES, Scheme, is_outdated, protect, proves, readable
from ostiary.core.passwords.settings import PasswordSettings
from ostiary.kernel.errors import Misuse, Refused
from ostiary.kernel.events import Event
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.protocols.password_rules import PasswordRules, Violation, is_too_long, normalise, violations

_BYTES_PER_CHARACTER: Final = 4
_MOST_CONTRACTION: Final = 4  # see `is_too_long`
# How long a sign-in waits, in seconds, to hear whether its password was breached.
_PATIENCE: Final = 0.25
_REUSED: Final = Violation(PASSWORD_REUSED.name, "Choose one that you have not used here before.")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying found.

    Attributes:
        matches: The password is the stored one.
        rehash: It is, and should be hashed anew: scheme, cost or pepper key are out of date.
    """

    matches: bool
    rehash: bool


def _unheard(event: Event) -> None:
    """A source that failed is noted where passwords are set; a row for each sign-in would say nothing new."""


def _text_of(password: Secret) -> str:
    """The password's text; whatever is not UTF-8 becomes lone surrogates, which no password may contain."""
    return password.reveal_bytes().decode("utf-8", "surrogateescape")


def _hashable(password: Secret, max_length: int) -> bytes | None:
    """What is hashed: the NFC form in UTF-8; None when there is no such form.

    Raises:
        Refused: it is longer than any password may be.
    """
    # The bytes alone show it for an absurd length, before anything is decoded (L28).
    if len(password) > _BYTES_PER_CHARACTER * _MOST_CONTRACTION * max_length:
        raise Refused(PASSWORD_TOO_LONG, "more bytes than any password has")
    text = _text_of(password)
    if is_too_long(text, max_length):
        raise Refused(PASSWORD_TOO_LONG, "more code points than password_max_length")
    try:
        return normalise(text).encode()
    except UnicodeEncodeError:
        return None


class Passwords:
    """Judges, hashes and verifies passwords.

    Args:
        world: Where salts come from.
        settings: Scheme, costs, rules and pool.
        pepper: Keys for the keyed pre-hash.
        guard: Called before each judging and hashing; raises `Misuse` while a database transaction is open.
        breaches: Which passwords are known from breaches; none unless given.
        scheme: Another scheme or cost than the settings'; for tests, since nothing holds it to the floor.
    """

    def __init__(
        self,
        world: World,
        settings: PasswordSettings,
        pepper: Pepper,
        guard: Callable[[], None],
        *,
        breaches: Breaches | None = None,
        scheme: Scheme | None = None,
    ) -> None:
        self._breaches = breaches or Breaches()
        self._world = world
        self._settings = settings
        self._pepper = pepper
        self._guard = guard
        self._scheme = scheme or settings.scheme
        self._keyed = settings.password_pepper or self._scheme.always_keyed
        workers = settings.hash_workers or default_workers()
        queue = settings.hash_queue or queue_size(workers, self._scheme.expected())
        self._pool = HashingPool(workers, queue, settings.hash_niceness)
        # Chance alone stands in for a stored hash: deriving for it costs what deriving for any other costs.
        self._nobody = (world.bytes(SALT_BYTES), world.bytes(self._scheme.digest_bytes))

    @property
    def pool(self) -> HashingPool:
        """Where hashing runs, for metrics."""
        return self._pool

    def rules(self, *, second_factor_enforced: bool = False) -> PasswordRules:
        """What a new password must be, for pages that tell beforehand."""
        rules = self._settings.rules(second_factor_enforced=second_factor_enforced)
        return replace(rules, breaches=self._breaches.is_on)

    async def judge(
        self,
        password: Secret,
        context: Iterable[str] = (),
        *,
        note: Callable[[Event], None],
        earlier: Sequence[str] = (),
        second_factor_enforced: bool = False,
    ) -> None:
        """Judge a new password by everything that is asked of one; whoever sets a password calls this first.

        Args:
            password: As typed.
            context: E-mail addresses, user name and name of the account.
            note: Takes what the journal should know of the judging itself; a flow's `note`.
            earlier: Stored passwords that it may not repeat. Each costs a hash, one after the other, so that one
                caller never holds more than one place in the pool.
            second_factor_enforced: No account signs in by password alone.

        Raises:
            Refused: with the first violation's code; `details["violations"]` lists all of them. It does not count as a
                failed try.
            Unavailable: the pool is full.
            Misuse: a transaction is open.
        """
        rules = self.rules(second_factor_enforced=second_factor_enforced)
        text = _text_of(password)
        is_breached = is_reused = False
        if not is_too_long(text, rules.max_length):  # such a one is refused before anything else begins (L28)
            self._guard()
            is_breached = await self._breaches.include(normalise(text), note)
            is_reused = await self._is_one_of(password, earlier)
        found = violations(text, rules, context, is_breached=is_breached)
        if is_reused:
            found += (_REUSED,)
        if found:
            listed = [{"code": violation.code, "message": violation.message} for violation in found]
            raise Refused(VIOLATION_CODES[found[0].code], details={"violations": listed}, counted=False)

    async def _is_one_of(self, password: Secret, stored: Sequence[str]) -> bool:
        for one in stored:
            if (await self.verify(password, one)).matches:
                return True
        return False

    async def hash(self, password: Secret) -> str:
        """The PHC string to store; the rules are not looked at.

        Raises:
            Refused: the password is too long, or has no UTF-8 form.
            Unavailable: the pool is full.
            Misuse: a transaction is open.
        """
        data = _hashable(password, self._settings.password_max_length)
        if data is None:
            raise Refused(PASSWORD_INVALID_CHARACTERS, "not encodable as UTF-8", counted=False)
        self._guard()
        return await self._pool.run(
            protect, self._scheme, data, self._world.bytes(SALT_BYTES), self._current_key()
        )

    async def verify(self, password: Secret, stored: str | None) -> Verdict:
        """Whether a password is the stored one.

        Takes as long when there is nothing to compare with (S-A12): `stored` is None, malformed or names a lost key,
        or the password has no UTF-8 form.

        Raises:
            Refused: the password is too long; said before hashing and whether or not there is an account (L28).
            Unavailable: the pool is full.
            Misuse: a transaction is open.
        """
        data = _hashable(password, self._settings.password_max_length)
        self._guard()
        found = None if stored is None or data is None else self._usable(stored)
        if found is None:
            await self._pool.run(proves, self._scheme, *self._dummy(data or b""))
            return Verdict(matches=False, rehash=False)
        scheme, phc, key = found
        matches = await self._pool.run(proves, scheme, phc, data, key)
        return Verdict(matches, rehash=matches and self._is_outdated(phc))

    async def is_breached(self, password: Secret) -> bool:
        """Whether a password that somebody signs in with is known from a breach, if that can be said at once.

        Signing in waits a quarter of a second for the answer at most, and a source that fails says nothing (L35).

        Raises:
            Misuse: a transaction is open.
        """
        self._guard()
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._breaches.include(normalise(_text_of(password)), _unheard)
        except TimeoutError:
            return False

    def check_breaches(self) -> None:
        """Look at start whether breached passwords can be looked up as the settings say; blocks.

        Raises:
            Misuse: they cannot; the message says how to mend it.
        """
        self._breaches.check()

    def open(self) -> None:
        """Hash again after `close`."""
        self._pool.open()

    def close(self) -> None:
        """End the pool's threads."""
        self._pool.close()

    def _is_outdated(self, phc: Phc) -> bool:
        key = self._current_key()
        return is_outdated(phc, self._scheme, key[0] if key else None)

    def _current_key(self) -> tuple[str, Secret] | None:
        if not self._keyed:
            return None
        key_id, key = self._pepper.current()
        if not is_key_id(key_id):
            raise Misuse(
                "the pepper key's id has characters that a PHC string cannot carry; use letters and digits"
            )
        return key_id, key

    def _usable(self, stored: str) -> tuple[Scheme, Phc, Secret | None] | None:
        """Everything needed to verify; None when something of it is missing."""
        phc = parse(stored)
        scheme = readable(phc) if phc else None
        if phc is None or scheme is None:
            return None
        if phc.key_id is None:
            return scheme, phc, None
        key = self._pepper.by_id(phc.key_id)
        return None if key is None else (scheme, phc, key)

    def _dummy(self, data: bytes) -> tuple[Phc, bytes, Secret | None]:
        """Work for nothing, at the cost of new hashes."""
        key = self._current_key()
        phc = Phc(self._scheme.name, self._scheme.costs(), key[0] if key else None, *self._nobody)
        return phc, data, key[1] if key else None
