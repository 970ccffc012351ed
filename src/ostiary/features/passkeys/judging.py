"""Owns what the answer of a passkey is worth: the same for the way in and for the second step."""

from dataclasses import dataclass
from typing import Final

import orjson

from ostiary.core.accounts.accounts import INVALID_CREDENTIALS
from ostiary.core.change import Change
from ostiary.core.signin.door import FAILED
from ostiary.core.signin.ways import Issue, Proof, Proven
from ostiary.core.wiring import Parts
from ostiary.features.passkeys import store
from ostiary.features.passkeys.challenge import Challenge, claim
from ostiary.features.passkeys.settings import PasskeySettings
from ostiary.features.passkeys.store import PasskeyRow
from ostiary.kernel.errors import Refused, code
from ostiary.kernel.events import Event, EventType, Severity
from ostiary.protocols.jose import base64url
from ostiary.protocols.webauthn.answers import AssertionAnswer
from ostiary.protocols.webauthn.assertion import Asserted, KnownCredential, verify_assertion
from ostiary.protocols.webauthn.client_data import InvalidAnswerError, RelyingParty
from ostiary.protocols.webauthn.options import Descriptor
from ostiary.protocols.webauthn.providers import provider_name

NAME: Final = "passkey"  # of the way in as of the factor, so that one passkey never counts twice
_LONGEST_REASON: Final = 120

PASSKEY_UNVERIFIED: Final = code(
    "passkey_unverified",
    401,
    "This passkey did not check who you are.",
    "The passkey is right, but it was used or added without PIN, fingerprint or face, or its owner has said of a "
    "sign-in that it was not them; alone that is not enough. "
    "Sign in another way; then it can be the second step.",
)
CLONED: Final = EventType(
    "passkey_cloned",
    "The counter of a passkey has not moved on: there may be a copy of it. `refused` says what became of the sign-in.",
    Severity.WARNING,
    ("passkey", "name", "refused"),
    tell_owner=True,
    at_every_address=True,
    words="The passkey {name} may have been copied.",
)


@dataclass(frozen=True, slots=True)
class Answered:
    """A right answer, and the passkey that gave it."""

    row: PasskeyRow
    shown: Asserted


def title_of(row: PasskeyRow) -> str:
    """What a passkey is called: by its owner, or after who made it."""
    return row.name or provider_name(row.aaguid) or "Passkey"


def method_of(row: PasskeyRow) -> str:
    """RFC 8176: a key that can leave its device is a software key."""
    return "swk" if row.is_syncable else "hwk"


def describe(row: PasskeyRow) -> Descriptor:
    """A passkey, as browsers are told of it."""
    return Descriptor(base64url.decode(row.credential_id), tuple(orjson.loads(row.transports)))


def judge(
    answer: AssertionAnswer, raw: bytes, site: RelyingParty, row: PasskeyRow, *, is_discovered: bool
) -> Answered:
    """What an answer shows.

    Args:
        raw: What was to be signed.
        is_discovered: Nobody was named before.

    Raises:
        Refused: `invalid_credentials`.
    """
    known = KnownCredential(
        base64url.decode(row.credential_id),
        row.public_key,
        row.sign_count,
        row.user_handle,
        bool(row.is_syncable),
    )
    try:
        return Answered(row, verify_assertion(answer, raw, site, known, is_discovered=is_discovered))
    except InvalidAnswerError as error:
        raise failed(row.account_id, str(error)) from None


def failed(account_id: str, reason: str, *also: Event) -> Refused:
    """A wrong answer, as the caller learns of it."""
    told = FAILED(account_id, method=NAME, reason=reason[:_LONGEST_REASON])
    return Refused(INVALID_CREDENTIALS, reason, events=(*also, told))


def demand_verified(answered: Answered) -> None:
    """Demand that a passkey that is all that is shown has verified its owner, then as now.

    Where it had not when it was added, whoever found it could have set its PIN since (section 6.1.3.1, uvInitialized).

    Raises:
        Refused: `passkey_unverified`.
    """
    row = answered.row
    if not (answered.shown.is_verified and row.is_verifying):
        told = FAILED(row.account_id, method=NAME, reason="the owner was not verified")
        raise Refused(PASSKEY_UNVERIFIED, counted=False, events=(told,))


def proven(
    parts: Parts, answered: Answered, challenge: Challenge, *, is_sole: bool, spares: tuple[Issue, ...] = ()
) -> Proven:
    """The proof; taking it spends the challenge and moves the counter on.

    Args:
        is_sole: Nothing else is shown; otherwise the passkey may raise what it is worth alone.
        spares: That come along.

    Raises:
        Refused: `invalid_credentials`; there is a copy of it, and copies are refused.
    """
    row, shown = answered.row, answered.shown
    reports = parts.settings.of(PasskeySettings).passkey_clones == "report"
    alarm = CLONED(row.account_id, passkey=row.id, name=title_of(row), refused=not reports)
    if shown.is_cloned and not reports:
        raise failed(row.account_id, "its counter has not moved on", alarm)

    async def take(change: Change) -> bool:
        used = await claim(change, parts.once, challenge) and await change.run(
            store.USE,
            of_id=row.id,
            of_account=row.account_id,
            count=shown.sign_count,
            any_count=int(reports),
            synced=int(shown.is_synced),
            # Only in addition to another factor is a passkey believed that it knows its owner by now.
            verifying=int(shown.is_verified and not is_sole),
            now=change.micros,
        )
        if used and shown.is_cloned:
            await change.emit(alarm)
        return bool(used)

    return Proven(
        Proof(method_of(row), parts.world.now(), NAME, is_multi_factor=is_sole), take, spares=spares
    )
