"""Owns TOTP as a factor of the door, and the sealing of secrets."""

import base64
from collections.abc import Mapping
from typing import Final

from ostiary.core.change import Change
from ostiary.core.keys.ring import Keyring, purpose
from ostiary.core.signin.ways import Enrolled, Factor, Proof, Proven
from ostiary.features.totp import store
from ostiary.features.totp.qr import qr_svg
from ostiary.features.totp.store import TotpRow
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World, from_micros
from ostiary.protocols.totp import SECRET_BYTES, base32, matching_step, otpauth_uri, typed_code
from ostiary.storage.database import Reads

TOTP_SECRETS: Final = purpose("totp", "Seals the secrets of authenticator apps.")
FACTOR: Final = "totp"
METHOD: Final = "otp"  # RFC 8176


def seal(ring: Keyring, secret: Secret, account_id: str, totp_id: str) -> str:
    """The secret as it is stored; bound to account and row, so that it is worth nothing in another one."""
    return ring.seal(TOTP_SECRETS, secret.reveal_bytes(), account_id, totp_id)


def unseal(ring: Keyring, row: TotpRow) -> Secret | None:
    """The secret of a row; None when it is not this row's, or its key is lost."""
    plain = ring.open_sealed(TOTP_SECRETS, row.secret, row.account_id, row.id)
    return None if plain is None else Secret(plain)


class TotpFactor(Factor):
    """Codes from authenticator apps.

    Args:
        world: The clock; what the client thinks that it is does not matter.
        ring: Seals and opens secrets.
        site_name: What apps show.
        drift: How many steps a code may be early or late.
    """

    name = FACTOR
    label = "Code from your authenticator app"
    is_digits = True
    adding = "Set up an authenticator app"
    how = "Scan the picture with an authenticator app, or type the key into it. Then enter the code that the app shows."

    def __init__(self, world: World, ring: Keyring, site_name: str, drift: int) -> None:
        self._world = world
        self._ring = ring
        self._site_name = site_name
        self._drift = drift

    async def is_enrolled(self, reads: Reads, account_id: str) -> bool:
        """Whether an app is confirmed; one that waits for its first code does not count."""
        return await reads.one(store.ANY_ACTIVE, of_account=account_id) is not None

    async def prove(self, reads: Reads, account_id: str, answer: Secret, attempt_id: str) -> Proven | None:
        """Try the code against every app; one of a step that was accepted before is wrong."""
        code = typed_code(answer.reveal())
        if code is None:
            return None
        now = self._world.now()
        for row in await reads.all(store.ACTIVE, of_account=account_id):
            secret = unseal(self._ring, row)
            step = matching_step(secret, code, now, self._drift) if secret else None
            if step is not None and step > row.last_step:
                return self._proven(row, step)
        return None

    def _proven(self, row: TotpRow, step: int) -> Proven:
        async def take(change: Change) -> bool:
            return await change.run(
                store.USE, of_id=row.id, of_account=row.account_id, step=step, now=change.micros
            ) == 1  # fmt: skip

        return Proven(Proof(METHOD, self._world.now(), self.name), take)

    def draw(self) -> str:
        """A new secret, as people type it into an app."""
        return base32(Secret(self._world.bytes(SECRET_BYTES))).reveal()

    def show(self, drawn: str, label: str) -> Mapping[str, Secret]:
        """The secret, the URI that apps read, and that as a QR code."""
        uri = otpauth_uri(Secret(base64.b32decode(drawn)), self._site_name, label)
        return {"secret": Secret(drawn), "uri": uri, "qr_svg": Secret(qr_svg(uri))}

    def confirm(self, account_id: str, drawn: str, answer: Secret) -> Proven | None:
        """Whether the code shows that the app has the secret; taking the proof stores the app, the code spent."""
        secret, code = Secret(base64.b32decode(drawn)), typed_code(answer.reveal())
        step = matching_step(secret, code, self._world.now(), self._drift) if code else None
        if step is None:
            return None

        async def take(change: Change) -> bool:
            totp_id = self._world.id()
            return await change.run(
                store.ADD,
                id=totp_id,
                account_id=account_id,
                name="",
                secret=seal(self._ring, secret, account_id, totp_id),
                last_step=step,
                created_at=change.micros,
                expires_at=None,
                confirmed_at=change.micros,
                last_used_at=change.micros,
            ) == 1  # fmt: skip

        return Proven(Proof(METHOD, self._world.now(), self.name), take)

    async def listing(self, reads: Reads, account_id: str) -> list[Enrolled]:
        """The confirmed apps, oldest first."""
        return [
            Enrolled(
                self.name,
                row.id,
                row.name,
                from_micros(row.created_at),
                None if row.last_used_at is None else from_micros(row.last_used_at),
            )
            for row in await reads.all(store.ACTIVE, of_account=account_id)
        ]

    async def remove_all(self, change: Change, account_id: str) -> bool:
        """Remove every app, and what waits to become one."""
        return any(await change.all(store.REMOVE_ALL, of_account=account_id))
