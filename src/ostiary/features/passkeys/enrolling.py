"""Owns the passkey that is added at the door, by who cannot sign in without a second factor and has none.

Its challenge travels in the sealed attempt, so it is bound to that sign-in, its browser and its account; another one's
is refused. In addition to the first proof it need not verify its owner.
"""

from ostiary.core.change import Change
from ostiary.core.signin.ways import Proof, Proven, Showing
from ostiary.core.wiring import Parts
from ostiary.features.passkeys.challenge import ENROL, Challenge, claim, draw, seal, unseal
from ostiary.features.passkeys.judging import NAME, failed, method_of
from ostiary.features.passkeys.making import judge_made, row_of, was_put
from ostiary.features.passkeys.settings import PasskeySettings, site_of
from ostiary.kernel.errors import Refused
from ostiary.kernel.secret import Secret
from ostiary.protocols import strict_json
from ostiary.protocols.jose import base64url
from ostiary.protocols.webauthn.answers import LONGEST_HANDLE
from ostiary.protocols.webauthn.options import creation_options


def begin(parts: Parts) -> str:
    """A new challenge, with what the authenticator will call the account by."""
    lifetime = parts.settings.of(PasskeySettings).passkey_challenge_lifetime
    handle = base64url.encode(parts.world.bytes(LONGEST_HANDLE))
    return seal(parts.ring, draw(parts.world, ENROL, "", lifetime, handle=handle)).decode()


def show(parts: Parts, drawn: str, label: str) -> Showing:
    """Options for `navigator.credentials.create`; none when the challenge has expired."""
    challenge = _open(parts, drawn)
    if challenge is None:
        return {}
    handle, lifetime = base64url.decode(challenge.handle), challenge.expires_at - parts.world.now()
    return {"options": creation_options(site_of(parts.settings), drawn.encode(), handle, label, (), lifetime)}


def confirm(parts: Parts, account_id: str, drawn: str, answer: Secret) -> Proven:
    """The proof; taking it stores the passkey.

    Raises:
        Refused: `invalid_credentials`.
    """
    asked = _open(parts, drawn)
    try:
        challenge, made = judge_made(parts, strict_json.parse(answer.reveal_bytes()), ENROL, "")
    except ValueError:
        raise failed(account_id, "no JSON") from None
    except Refused as refused:
        raise failed(account_id, refused.reason) from None
    if asked is None or challenge.id != asked.id:
        raise failed(account_id, "another sign-in's challenge")
    row = row_of(parts.world, account_id, base64url.decode(challenge.handle), made, "")

    async def take(change: Change) -> bool:
        return await claim(change, parts.once, challenge) and await was_put(change, row, made.algorithm)

    return Proven(Proof(method_of(row), parts.world.now(), NAME), take)


def _open(parts: Parts, drawn: str) -> Challenge | None:
    return unseal(parts.ring, drawn.encode(), ENROL, "", parts.world.now())
