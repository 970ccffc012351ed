"""Owns what becomes of a passkey that an authenticator has just made: it is judged, and stored as somebody's."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from ostiary.core.change import Change
from ostiary.core.wiring import Parts
from ostiary.features.passkeys import store
from ostiary.features.passkeys.challenge import Challenge, unseal
from ostiary.features.passkeys.settings import site_of
from ostiary.features.passkeys.store import PasskeyRow
from ostiary.kernel.errors import Refused, code
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.world import World
from ostiary.protocols.jose import base64url
from ostiary.protocols.webauthn.answers import read_registration
from ostiary.protocols.webauthn.client_data import InvalidAnswerError, read_challenge
from ostiary.protocols.webauthn.registration import NewCredential, verify_registration

PASSKEY_REFUSED: Final = code(
    "passkey_refused",
    422,
    "This passkey cannot be added.",
    "The answer does not belong to what was asked for, came too late, was made elsewhere, or is of a kind that is not "
    "taken. Ask for new options.",
)
PASSKEY_KNOWN: Final = code(
    "passkey_known", 409, "This passkey was added before.", "The credential belongs to an account already."
)
REFUSED: Final = EventType(
    "passkey_enrolment_failed",
    "A passkey that was to be added was refused.",
    Severity.NOTICE,
    ("reason",),
    words="A passkey could not be added.",
)


def judge_made(
    parts: Parts, sent: Mapping[str, Any], kind: str, bound: str, account_id: str = ""
) -> tuple[Challenge, NewCredential]:
    """What an authenticator has made, and the challenge that asked for it.

    Args:
        sent: A `RegistrationResponseJSON`.
        kind: What the challenge must be for.
        bound: To what it must be bound.
        account_id: For whom it must be; "" while there is no account.

    Raises:
        Refused: `passkey_refused`.
    """
    try:
        answer = read_registration(sent)
        raw = read_challenge(answer.client_data)
        challenge = unseal(parts.ring, raw, kind, bound, parts.world.now())
        if challenge is None or challenge.account_id != account_id:
            raise refused("the challenge is not ours, expired or asked elsewhere", account_id)
        return challenge, verify_registration(answer, raw, site_of(parts.settings))
    except InvalidAnswerError as error:
        raise refused(str(error), account_id) from None


def refused(reason: str, account_id: str = "") -> Refused:
    """Why a passkey was not taken, for the journal."""
    return Refused(PASSKEY_REFUSED, reason, events=(REFUSED(account_id or None, reason=reason),))


def row_of(world: World, account_id: str, handle: bytes, made: NewCredential, name: str) -> PasskeyRow:
    """A new passkey as somebody's.

    Args:
        handle: What the authenticator calls the account by.
        name: What its owner calls it; may be empty.
    """
    return PasskeyRow(
        world.id(),
        account_id,
        base64url.encode(made.id),
        handle,
        made.public_key,
        made.sign_count,
        made.aaguid,
        orjson.dumps(made.transports).decode(),
        name,
        int(made.is_verified),
        int(made.may_be_synced),
        int(made.is_synced),
        world.micros(),
        None,
    )


async def put(change: Change, row: PasskeyRow, algorithm: int) -> None:
    """Store a passkey.

    Raises:
        Refused: `passkey_known`.
    """
    if not await was_put(change, row, algorithm):
        raise known(row.account_id)


async def was_put(change: Change, row: PasskeyRow, algorithm: int) -> bool:
    """Store a passkey, unless the credential is anybody's already."""
    given = {name: getattr(row, name) for name in row.__dataclass_fields__}
    given |= {"algorithm": algorithm, "created_at": change.micros}
    return await change.run(store.ADD, **given) == 1


def known(account_id: str = "") -> Refused:
    """The refusal of a credential that is anybody's already."""
    return Refused(PASSKEY_KNOWN, events=(REFUSED(account_id or None, reason="known"),))
