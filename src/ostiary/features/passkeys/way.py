"""Owns the way in by passkey: nobody types a name, the passkey says whose it is."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ostiary.core.accounts import accounts
from ostiary.core.signin.attempt import browser_hash
from ostiary.core.signin.ways import Candidate, Proven
from ostiary.core.tokens.settings import TOKENS, Delivery
from ostiary.core.wiring import Core
from ostiary.features.passkeys import store
from ostiary.features.passkeys.challenge import SIGN_IN, draw, seal, unseal
from ostiary.features.passkeys.judging import NAME, demand_verified, failed, judge, proven
from ostiary.features.passkeys.settings import PasskeySettings, site_of
from ostiary.features.passkeys.store import PasskeyRow
from ostiary.protocols.jose import base64url
from ostiary.protocols.webauthn.answers import AssertionAnswer, read_assertion
from ostiary.protocols.webauthn.client_data import InvalidAnswerError, read_challenge
from ostiary.protocols.webauthn.options import request_options
from ostiary.storage.database import Reads


@dataclass(frozen=True, slots=True)
class Submission:
    """What came back.

    Attributes:
        response: An `AuthenticationResponseJSON`, as it was sent.
        browser: The cookie that the challenge is bound to; "" for tokens.
        delivery: How the session is to be handed out.
    """

    response: Mapping[str, Any]
    browser: str
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class _Carried:
    answer: AssertionAnswer | None
    row: PasskeyRow | None


def bound_to(browser: str, delivery: Delivery) -> str:
    """What a challenge is bound to while nobody knows who will answer."""
    return "" if delivery == TOKENS else browser_hash(browser)


def options(core: Core, browser: str, delivery: Delivery) -> dict[str, Any]:
    """What asks for any passkey of this site. It names nobody, so it tells nothing, and nothing is stored.

    Args:
        browser: The cookie that binds it; "" for tokens.
    """
    lifetime = core.settings.of(PasskeySettings).passkey_challenge_lifetime
    challenge = draw(core.world, SIGN_IN, bound_to(browser, delivery), lifetime, delivery=delivery)
    return request_options(site_of(core.settings), seal(core.ring, challenge), (), lifetime, is_sole=True)


class PasskeyWay:
    """Proves an account by a passkey that has verified its owner: two factors at once."""

    name = NAME

    def __init__(self, core: Core) -> None:
        self._core = core

    async def identify(self, reads: Reads, submission: Submission) -> Candidate:
        """Whose passkey it says that it is; counted for the account, or for the passkey that nobody has."""
        try:
            answer: AssertionAnswer | None = read_assertion(submission.response)
        except InvalidAnswerError:
            answer = None
        credential_id = answer.credential_id if answer else b""
        found = await reads.one(store.FIND, credential_id=base64url.encode(credential_id))
        if found is None:
            nobodys = hashlib.sha256(credential_id).hexdigest()
            return Candidate(f"passkey:{nobodys}", None, carried=_Carried(answer, None))
        row, epoch = found
        subject = accounts.subject_of(row.account_id)
        return Candidate(subject, row.account_id, epoch, carried=_Carried(answer, row))

    async def prove(self, reads: Reads, candidate: Candidate, submission: Submission) -> Proven | None:
        """Whether the passkey has signed our challenge, in this browser, and has verified its owner.

        Raises:
            Refused: `invalid_credentials` or `passkey_unverified`.
        """
        core, answer, row = self._core, candidate.carried.answer, candidate.carried.row
        if answer is None or row is None:
            return None
        try:
            raw = read_challenge(answer.client_data)
        except InvalidAnswerError as error:
            raise failed(row.account_id, str(error)) from None
        bound = bound_to(submission.browser, submission.delivery)
        challenge = unseal(core.ring, raw, SIGN_IN, bound, core.world.now())
        if challenge is None or challenge.delivery != submission.delivery:
            raise failed(row.account_id, "the challenge is not ours, expired or another browser's")
        answered = judge(answer, raw, site_of(core.settings), row, is_discovered=True)
        demand_verified(answered)
        # One that was made while registering has brought no spares so far.
        is_first = row.last_used_at is None
        spares = await core.factors.prepare(reads, row.account_id) if is_first else ()
        return proven(core, answered, challenge, is_sole=True, spares=tuple(spares))
