"""Owns how calling out fails: one word for programs and the journal, one sentence for the log.

The sentence names the host and nothing else of what was sent or received: paths and headers carry secrets, and what a
foreign server says does not belong into our log.
"""

from enum import StrEnum

from ostiary.kernel.errors import Unavailable


class Failure(StrEnum):
    """What went wrong."""

    URL = "url"
    PORT = "port"
    ADDRESS = "address"
    UNRESOLVED = "unresolved"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    TIMEOUT = "timeout"
    BUSY = "busy"
    TOO_LARGE = "too_large"
    GARBLED = "garbled"


class OutgoingFailed(Unavailable):
    """Calling another server failed.

    Args:
        failure: In one word.
        what: In one sentence, for the log; never carries anything secret.
        host: Whom the call was for; "" while that is not known for sure.
    """

    def __init__(self, failure: Failure, what: str, host: str = "") -> None:
        super().__init__(f"calling {host or 'another server'}: {what}")
        self.failure = failure


class OutOfReach(OutgoingFailed):
    """The URL is none that may be called, or its name leads to an address that may not; trying again is useless."""


class NoAnswer(OutgoingFailed):
    """No proper answer came in time."""
