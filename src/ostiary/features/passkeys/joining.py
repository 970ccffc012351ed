"""Owns the passkey that somebody makes while registering: in place of a password, it alone will sign in.

It waits in the registration, as a password's hash does, and is the account's when that registration's own link or code
is redeemed. Any other first proof of the mailbox leaves it behind (L10).
"""

from collections.abc import Mapping
from typing import Any

import orjson

from ostiary.core.accounts.address import Address
from ostiary.core.change import Change
from ostiary.core.signin.attempt import browser_hash
from ostiary.core.signin.ways import Made
from ostiary.core.wiring import Parts
from ostiary.features.passkeys import store
from ostiary.features.passkeys.challenge import SIGN_UP, claim, draw, seal
from ostiary.features.passkeys.judging import PASSKEY_UNVERIFIED, title_of
from ostiary.features.passkeys.making import REFUSED, judge_made, known, put, refused, row_of
from ostiary.features.passkeys.settings import PasskeySettings, site_of
from ostiary.kernel.errors import Refused
from ostiary.kernel.secret import Secret
from ostiary.protocols import strict_json
from ostiary.protocols.jose import base64url
from ostiary.protocols.webauthn.answers import LONGEST_HANDLE
from ostiary.protocols.webauthn.options import creation_options
from ostiary.protocols.webauthn.registration import NewCredential


def _bound_to(browser: str, address: Address) -> str:
    # What the authenticator shows as the account is what is registered, and nothing else.
    return browser_hash(f"{browser} {address.normal}")


def invite(parts: Parts, browser: str, address: Address) -> Mapping[str, Any]:
    """Options for `navigator.credentials.create`, for who registers an address."""
    lifetime = parts.settings.of(PasskeySettings).passkey_challenge_lifetime
    handle = parts.world.bytes(LONGEST_HANDLE)
    drawn = draw(parts.world, SIGN_UP, _bound_to(browser, address), lifetime, handle=base64url.encode(handle))
    sealed = seal(parts.ring, drawn)
    asked = creation_options(
        site_of(parts.settings), sealed, handle, address.shown, (), lifetime, is_sole=True
    )
    return {"options": asked}


def receive(parts: Parts, browser: str, address: Address, answer: Secret) -> Made:
    """Judge what was made.

    Raises:
        Refused: `passkey_refused` or `passkey_unverified`; when it is kept, also `passkey_known`.
    """
    try:
        sent = strict_json.parse(answer.reveal_bytes())
    except ValueError:
        raise refused("no JSON") from None
    challenge, made = judge_made(parts, sent, SIGN_UP, _bound_to(browser, address))
    if not made.is_verified:
        told = REFUSED(None, reason="the owner was not verified")
        raise Refused(PASSKEY_UNVERIFIED, counted=False, events=(told,))

    async def take(change: Change) -> None:
        if not await claim(change, parts.once, challenge):
            raise refused("used before")
        if await change.one(store.FIND, credential_id=base64url.encode(made.id)) is not None:
            raise known()

    return Made(_as_text(made, challenge.handle), take)


async def join(change: Change, account_id: str, kept: str) -> str:
    """Let it count for the account that the registration has become.

    Raises:
        Refused: `passkey_known`.
    """
    made, handle = _from_text(kept)
    row = row_of(change.world, account_id, handle, made, "")
    await put(change, row, made.algorithm)
    return title_of(row)


def _as_text(made: NewCredential, handle: str) -> str:
    return orjson.dumps(
        [
            handle,
            base64url.encode(made.id),
            base64url.encode(made.public_key),
            made.algorithm,
            made.sign_count,
            made.aaguid,
            made.transports,
            made.may_be_synced,
            made.is_synced,
        ]
    ).decode()


def _from_text(kept: str) -> tuple[NewCredential, bytes]:
    handle, id_, key, algorithm, count, aaguid, transports, may_be_synced, is_synced = orjson.loads(kept)
    made = NewCredential(
        base64url.decode(id_),
        base64url.decode(key),
        algorithm,
        count,
        aaguid,
        tuple(transports),
        is_verified=True,
        may_be_synced=may_be_synced,
        is_synced=is_synced,
    )
    return made, base64url.decode(handle)
