"""Owns codes by mail as a factor of the door."""

from collections.abc import Mapping
from typing import Any, Final

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import Account
from ostiary.core.accounts.address import find_email
from ostiary.core.change import Change
from ostiary.core.device import describe_device
from ostiary.core.once.once import Use
from ostiary.core.signin.ways import Enrolled, Factor, Proof, Proven
from ostiary.core.wiring import Parts
from ostiary.features.email_code import store
from ostiary.features.email_code.settings import EmailCodeSettings
from ostiary.kernel.errors import NOT_FOUND, Refused
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import from_micros
from ostiary.protocols.totp import typed_code
from ostiary.storage.database import Reads

FACTOR: Final = "email_code"
METHOD: Final = "otp"  # RFC 8176
MAIL: Final = "email_code"


def use(parts: Parts) -> Use:
    """What a mailed code is good for; its subject is the sign-in, or the account, that asked for it."""
    return Use("email_code", parts.settings.of(EmailCodeSettings).email_code_lifetime)


async def send(parts: Parts, change: Change, account: Account, subject: str) -> None:
    """Mail a code to an account's own address; an older one of the same subject is worth nothing any more."""
    if account.email is None or not account.is_email_verified:
        raise Refused(NOT_FOUND, "no proven address to send a code to", counted=False)
    address = find_email(account.email)
    told = {"account": account.id, "mailbox": address.normal if address else account.email}
    code = await parts.once.issue_code(change, use(parts), subject, told)
    lifetime = parts.settings.of(EmailCodeSettings).email_code_lifetime
    owner, *_ = await accounts.recipients(change, account.id)
    context = {
        "code": code.reveal(),
        "code_lifetime": lifetime,
        "at": change.now,
        "ip": change.origin.ip,
        "device": describe_device(change.origin.user_agent),
    }
    await parts.post.send(
        change, MAIL, owner.address, context, language=owner.locale, expires_at=change.now + lifetime
    )


class EmailCodeFactor(Factor):
    """Codes to the account's primary address.

    Args:
        parts: Single-use codes, the post, and the settings.
    """

    name = FACTOR
    label = "Code that we mail you"
    is_digits = True
    proves_mailbox = True
    asks = "Mail me a code"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def is_enrolled(self, reads: Reads, account_id: str) -> bool:
        """Whether its owner switched it on, and the deployment still allows it."""
        is_allowed = self._parts.settings.of(EmailCodeSettings).email_code
        return is_allowed and await reads.one(store.FIND, of_account=account_id) is not None

    async def challenge(self, change: Change, account: Account, attempt_id: str) -> Mapping[str, Any]:
        """Mail a code that is good for this sign-in alone."""
        await send(self._parts, change, account, attempt_id)
        return {}

    async def prove(self, reads: Reads, account_id: str, answer: Secret, attempt_id: str) -> Proven | None:
        """Spend one of the code's five tries on the answer; what is no six digits costs none."""
        parts, digits = self._parts, typed_code(answer.reveal())
        if digits is None:
            return None
        tried = await parts.once.try_code(parts.database, use(parts), attempt_id, Secret(digits))
        if tried is None or tried.data["account"] != account_id:
            return None

        async def take(change: Change) -> bool:
            if await parts.once.take_code(change, use(parts), tried) is None:
                return False
            return bool(await change.run(store.USE, of_account=account_id, now=change.micros))

        return Proven(Proof(METHOD, parts.world.now(), self.name, mailbox=tried.data["mailbox"]), take)

    async def listing(self, reads: Reads, account_id: str) -> list[Enrolled]:
        """It is there once, or not at all."""
        row = await reads.one(store.FIND, of_account=account_id)
        if row is None:
            return []
        used = None if row.last_used_at is None else from_micros(row.last_used_at)
        return [Enrolled(self.name, "", "", from_micros(row.created_at), used)]

    async def remove_all(self, change: Change, account_id: str) -> bool:
        """Switch it off."""
        return bool(await change.run(store.REMOVE, of_account=account_id))
