"""Owns the settings of the revocation feed."""

from dataclasses import dataclass

from ostiary.kernel.settings import setting


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """The revocation feed."""

    feed_waiters: int = setting(
        1000, doc="How many followers one process lets wait for news; further ones are answered at once."
    )

    def __post_init__(self) -> None:
        if not 0 <= self.feed_waiters <= 100_000:
            raise ValueError("feed_waiters: must be 0 to 100000")
