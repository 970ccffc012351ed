"""Owns `Breaches`: the answer whether a password was breached, and what happens when nobody can say."""

from collections.abc import Callable
from typing import Final

from ostiary.core.outgoing.client import Outgoing
from ostiary.core.passwords.breaches.corpus import CorpusFile, CorpusFolder
from ostiary.core.passwords.breaches.service import RangeService
from ostiary.core.passwords.breaches.settings import BreachSettings
from ostiary.core.passwords.breaches.source import Source, SourceFailed
from ostiary.kernel.events import Event, EventType, Severity
from ostiary.kernel.world import World
from ostiary.protocols.breach_range import fingerprint

CHECK_FAILED: Final = EventType(
    "breach_check_failed",
    "A new password could not be looked up among breached ones, and was judged by the other rules alone.",
    severity=Severity.WARNING,
    fields=("source", "why"),
)
EVENTS: Final = (CHECK_FAILED,)


class Breaches:
    """Says whether a password is known from a breach.

    Args:
        source: Who knows; nobody when the check is off.
    """

    def __init__(self, source: Source | None = None) -> None:
        self._source = source

    @classmethod
    def of(cls, settings: BreachSettings, world: World, outgoing: Outgoing) -> "Breaches":
        """As the settings say."""
        match settings.breached_passwords:
            case "range":
                url, patience = settings.breach_range_url, settings.breach_range_timeout
                return cls(RangeService(world, outgoing, url, patience))
            case "file" if settings.breach_corpus_file is not None:
                path = settings.breach_corpus_file
                return cls(CorpusFolder(path) if path.is_dir() else CorpusFile(path))
            case _:
                return cls()

    @property
    def is_on(self) -> bool:
        """Whether anybody is asked."""
        return self._source is not None

    def check(self) -> None:
        """Look at start whether the source can be asked; blocks.

        Raises:
            Misuse: it cannot; the message says how to mend it.
        """
        if self._source is not None:
            self._source.check()

    async def include(self, password: str, note: Callable[[Event], None]) -> bool:
        """Whether a password is known from a breach.

        Args:
            password: In the form that is hashed.
            note: Takes the event that the source failed; the password then counts as unknown.
        """
        if self._source is None:
            return False
        try:
            digits = fingerprint(password)
        except UnicodeEncodeError:
            return False  # no such password is ever accepted
        try:
            return await self._source.knows(digits)
        except SourceFailed as failed:
            note(CHECK_FAILED(source=self._source.name, why=failed.why))
            return False
