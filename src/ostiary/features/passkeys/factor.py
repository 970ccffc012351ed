"""Owns passkeys as a factor of the door: in addition to another proof, also without verifying their owner."""

from collections.abc import Mapping
from typing import Any, Final

from ostiary.core.accounts.accounts import Account
from ostiary.core.accounts.address import Address
from ostiary.core.change import Change
from ostiary.core.signin.ways import Enrolled, Factor, Made, Proven, Showing
from ostiary.core.wiring import Parts
from ostiary.features.passkeys import enrolling, joining, store
from ostiary.features.passkeys.challenge import FACTOR, draw, seal, unseal
from ostiary.features.passkeys.judging import NAME, describe, failed, judge, proven, title_of
from ostiary.features.passkeys.settings import PasskeySettings, site_of
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import from_micros
from ostiary.protocols import strict_json
from ostiary.protocols.jose import base64url
from ostiary.protocols.webauthn.answers import read_assertion
from ostiary.protocols.webauthn.client_data import read_challenge
from ostiary.protocols.webauthn.options import request_options
from ostiary.storage.database import Reads

LONGEST_ANSWER: Final = 32_768


class PasskeyFactor(Factor):
    """Passkeys after a password or a link.

    Args:
        parts: Ring, clock and settings.
    """

    name = NAME
    label = "Passkey"
    is_digits = False
    asks = "Use your passkey"
    is_ceremony = True
    adding = "Add a passkey"
    how = "Your phone, your password manager or a security key keeps it. From then on you sign in by unlocking it."

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._site = site_of(parts.settings)

    async def is_enrolled(self, reads: Reads, account_id: str) -> bool:
        """Whether the account has one."""
        return await reads.one(store.ANY, of_account=account_id) is not None

    async def challenge(self, change: Change, account: Account, attempt_id: str) -> Mapping[str, Any]:
        """Options for `navigator.credentials.get`, good for this sign-in and this account's passkeys."""
        parts = self._parts
        lifetime = parts.settings.of(PasskeySettings).passkey_challenge_lifetime
        drawn = draw(
            parts.world,
            FACTOR,
            attempt_id,
            lifetime,
            account_id=account.id,
            security_epoch=account.security_epoch,
        )
        rows = await change.all(store.OF_ACCOUNT, of_account=account.id)
        allowed = [describe(row) for row in rows]
        asked = request_options(self._site, seal(parts.ring, drawn), allowed, lifetime, is_sole=False)
        return {"options": asked}

    async def prove(self, reads: Reads, account_id: str, answer: Secret, attempt_id: str) -> Proven | None:
        """Whether one of the account's passkeys has signed what this sign-in asked for.

        Raises:
            Refused: `invalid_credentials`.
        """
        text, parts = answer.reveal_bytes(), self._parts
        if not text.startswith(b"{") or len(text) > LONGEST_ANSWER:
            return None  # a code of another factor
        try:
            sent = read_assertion(strict_json.parse(text))
            raw = read_challenge(sent.client_data)
        except ValueError:
            return None
        found = await reads.one(store.FIND, credential_id=base64url.encode(sent.credential_id))
        if found is None or found[0].account_id != account_id:
            return None
        challenge = unseal(parts.ring, raw, FACTOR, attempt_id, parts.world.now())
        if challenge is None or challenge.account_id != account_id or challenge.security_epoch != found[1]:
            raise failed(account_id, "the challenge is not ours, expired or another sign-in's")
        answered = judge(sent, raw, self._site, found[0], is_discovered=False)
        return proven(parts, answered, challenge, is_sole=False)

    def draw(self) -> str:
        """What one is made with at the door."""
        return enrolling.begin(self._parts)

    def show(self, drawn: str, label: str) -> Showing:
        """Options for making one at the door."""
        return enrolling.show(self._parts, drawn, label)

    def confirm(self, account_id: str, drawn: str, answer: Secret) -> Proven | None:
        """Whether it was made for this sign-in; taking the proof stores it."""
        return enrolling.confirm(self._parts, account_id, drawn, answer)

    def invite(self, browser: str, address: Address) -> Mapping[str, Any]:
        """Options for making one while registering."""
        return joining.invite(self._parts, browser, address)

    def receive(self, browser: str, address: Address, answer: Secret) -> Made:
        """Judge what was made while registering."""
        return joining.receive(self._parts, browser, address, answer)

    async def join(self, change: Change, account_id: str, kept: str) -> str:
        """Let it count for the account that the registration has become."""
        return await joining.join(change, account_id, kept)

    async def listing(self, reads: Reads, account_id: str) -> list[Enrolled]:
        """The passkeys, oldest first."""
        return [
            Enrolled(
                self.name,
                row.id,
                title_of(row),
                from_micros(row.created_at),
                None if row.last_used_at is None else from_micros(row.last_used_at),
                about="synced"
                if row.is_synced
                else "may be synced"
                if row.is_syncable
                else "bound to one device",
            )
            for row in await reads.all(store.OF_ACCOUNT, of_account=account_id)
        ]

    async def remove_all(self, change: Change, account_id: str) -> bool:
        """Remove every passkey; what authenticators keep is worth nothing from now on."""
        return bool(await change.all(store.REMOVE_ALL, of_account=account_id))
