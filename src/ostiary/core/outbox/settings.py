"""Owns the settings of the outbox and its worker."""

from dataclasses import dataclass
from datetime import timedelta

from ostiary.kernel.settings import setting


@dataclass(frozen=True, slots=True)
class OutboxSettings:
    """How mails and webhooks leave."""

    outbox_poll: timedelta = setting(
        timedelta(seconds=1), doc="How often a worker looks for what other processes put into the outbox."
    )
    outbox_parallel: int = setting(8, doc="How many deliveries one worker has under way at once.")
    outbox_timeout: timedelta = setting(
        timedelta(minutes=1), doc="The longest one delivery may take; must be shorter than outbox_lease."
    )
    outbox_lease: timedelta = setting(
        timedelta(minutes=2),
        doc="After this time what a dead worker had claimed is delivered by another one.",
    )
    outbox_dead_kept: timedelta = setting(
        timedelta(days=30),
        doc="How long what could not be delivered is kept for you to look at and to send again.",
    )

    def __post_init__(self) -> None:
        if not self.outbox_poll:
            raise ValueError("outbox_poll: must be longer than nothing")
        if self.outbox_parallel < 1:
            raise ValueError("outbox_parallel: must be at least 1")
        if not timedelta() < self.outbox_timeout < self.outbox_lease:
            raise ValueError("outbox_timeout: must be longer than nothing and shorter than outbox_lease")
