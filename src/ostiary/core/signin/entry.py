"""Owns how somebody stands at the door: what came with the request, and what was shown so far."""

from dataclasses import dataclass, replace

from ostiary.core.signin.attempt import Attempt
from ostiary.core.signin.enrolment import Enrolment
from ostiary.core.signin.ways import Proof, Proven
from ostiary.core.tokens.settings import COOKIE, TOKENS, Delivery
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal
from ostiary.kernel.secret import Secret


@dataclass(frozen=True, slots=True)
class Entry:
    """How somebody stands at the door.

    Attributes:
        pre_session: Value of the cookie that a half-done sign-in is bound to.
        code: A second factor sent along with the first proof.
        known_browser: Value of the cookie that says who signed in here before.
        replaces: Whose live session this browser brings along; it ends when another one begins.
        delivery: How the session is to be handed out.
        trust: Value of the cookie of a browser that is trusted with the second step.
        wants_trust: Whoever signs in wants this browser trusted.
    """

    origin: Origin
    is_remembered: bool = False
    pre_session: str = ""
    code: Secret | None = None
    replaces: Principal | None = None
    known_browser: str | None = None
    delivery: Delivery = COOKIE
    trust: str | None = None
    wants_trust: bool = False

    def trust_for(self, account_id: str) -> str | None:
        """The cookie of trust where it may stand for the second step of an account.

        Not while a session of that account lives here: whoever signs in again is to show that it is still them.
        """
        is_again = self.replaces is not None and self.replaces.account_id == account_id
        return None if is_again or self.delivery == TOKENS else self.trust


@dataclass(frozen=True, slots=True)
class Standing:
    """One account in front of the door, with what it has shown before and now.

    Attributes:
        attempt: The sign-in, with the proofs of earlier requests.
        proven: What this request shows.
        is_resumed: The attempt waited for this answer.
        enrolment: A factor that is added on the way.
        is_known: The browser has signed in to the account before.
        failures: Tries in a row that failed before this one.
    """

    entry: Entry
    attempt: Attempt
    proven: tuple[Proven, ...]
    is_resumed: bool
    enrolment: Enrolment | None = None
    is_known: bool = False
    failures: int = 0

    @property
    def proofs(self) -> tuple[Proof, ...]:
        """All that was shown, in its order."""
        return (*self.attempt.proofs, *(proven.proof for proven in self.proven))

    @property
    def earns_trust(self) -> bool:
        """Whether this browser is to be trusted: it is wanted, and two steps were taken in it, not one that is both."""
        is_browser = self.attempt.delivery != TOKENS
        return self.entry.wants_trust and is_browser and len({proof.by for proof in self.proofs}) > 1

    def showing(self, proven: Proven) -> "Standing":
        """The same, with one proof more."""
        return replace(self, proven=(*self.proven, proven))
