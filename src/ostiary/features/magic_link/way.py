"""Owns the way in by a link from a mail, or by the code that the link shows in another browser."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import EMAIL_VERIFIED, Status
from ostiary.core.accounts.address import Address
from ostiary.core.accounts.store import Found
from ostiary.core.change import Change
from ostiary.core.keys.ring import Keyring, purpose
from ostiary.core.once.once import CodeTry, Spent, Use
from ostiary.core.signin.ways import Candidate, Proof, Proven
from ostiary.core.tokens.settings import COOKIE, Delivery
from ostiary.core.wiring import Core
from ostiary.features.magic_link.settings import MagicLinkSettings
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import from_micros, to_micros
from ostiary.protocols.totp import typed_code
from ostiary.storage.database import Reads

ASKED: Final = purpose("magic_link", "Seals which browser or device asked for a magic link.")
NAME: Final = "magic_link"
_MEMBERS: Final = 7  # of a sealed request


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a link, carried by whoever made it and readable only by us.

    Attributes:
        id: The link's row names it: another browser's link is worth nothing here.
        next: Where they go on after signing in, already judged; "" for home.
        delivery: How the session is to be handed out.
    """

    id: str
    address: Address
    expires_at: datetime
    is_remembered: bool
    next: str
    delivery: Delivery = COOKIE


def seal(ring: Keyring, asked: Asked) -> str:
    """The request as text for a cookie, or for a program that keeps it itself."""
    document = [
        asked.id,
        asked.address.normal,
        asked.address.shown,
        to_micros(asked.expires_at),
        asked.is_remembered,
        asked.next,
        asked.delivery,
    ]
    return ring.seal(ASKED, orjson.dumps(document))


def unseal(ring: Keyring, sealed: str, now: datetime, delivery: Delivery = COOKIE) -> Asked | None:
    """The request, if we sealed it for this delivery and its link may still be good.

    One that a program keeps is bound to no browser, so it never becomes a cookie: somebody else's would sign a
    stranger's browser in.
    """
    plain = ring.open_sealed(ASKED, sealed)
    if plain is None:
        return None
    document = orjson.loads(plain)
    if len(document) != _MEMBERS:
        return None  # sealed by another release, while servers are replaced one by one
    asked_id, normal, shown, expires, is_remembered, destination, delivered = document
    if delivered != delivery or now >= from_micros(expires):
        return None
    return Asked(asked_id, Address(normal, shown), from_micros(expires), is_remembered, destination, delivery)


def link_use(core: Core) -> Use:
    """What the secret in the link is good for."""
    return Use("magic_link", core.settings.of(MagicLinkSettings).magic_link_lifetime)


def code_use(core: Core) -> Use:
    """What the code is good for that the link shows in another browser."""
    return Use("magic_link_code", core.settings.of(MagicLinkSettings).magic_link_lifetime)


@dataclass(frozen=True, slots=True)
class Submission:
    """What came back: the link's secret or the code, and what the browser kept from asking."""

    asked: Asked | None
    token: Secret | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class _Carried:
    found: Found | None
    is_ours: bool


class MagicLinkWay:
    """Proves an account by its mailbox.

    It is the least of the ways in: a second factor is asked for as after a password, and one that the same mailbox
    proves adds nothing.
    """

    name = NAME

    def __init__(self, core: Core) -> None:
        self._core = core

    async def identify(self, reads: Reads, submission: Submission) -> Candidate:
        """Whose mailbox it was sent to; a link that another browser asked for names nobody."""
        asked, core = submission.asked, self._core
        spent: Spent | None = None
        if submission.token is not None:
            spent = await core.once.look(reads, link_use(core), submission.token)
        is_ours = asked is not None and (submission.token is None or _is_for(spent, asked))
        address = asked.address if asked is not None and is_ours else None
        found = await accounts.find_at(reads, address)
        return Candidate(
            accounts.canonical_subject(found, "", address),
            found.account_id if found else None,
            found.security_epoch if found else 0,
            carried=_Carried(found, is_ours),
        )

    async def prove(self, reads: Reads, candidate: Candidate, submission: Submission) -> Proven | None:
        """Whether the secret is good; a wrong code costs one of its five tries."""
        asked, found = submission.asked, candidate.carried.found
        tried: CodeTry | None = None
        if submission.token is None and asked is not None:
            tried = await self._try(asked, submission.code)
            if tried is None:
                return None
        if asked is None or found is None or not candidate.carried.is_ours or found.status != Status.ACTIVE:
            return None
        account_id = found.account_id

        async def take(change: Change) -> bool:
            if not await self._take(change, asked, submission.token, tried):
                return False
            await _first_proof(change, account_id, asked.address)
            return True

        proof = Proof("email", self._core.world.now(), self.name, mailbox=asked.address.normal)
        return Proven(proof, take, alters_account=found.verified_at is None)

    async def _try(self, asked: Asked, typed: str) -> CodeTry | None:
        digits = typed_code(typed)
        if digits is None:
            return None  # costs no try of the real code
        core = self._core
        return await core.once.try_code(core.database, code_use(core), asked.id, Secret(digits))

    async def _take(self, change: Change, asked: Asked, token: Secret | None, tried: CodeTry | None) -> bool:
        """Consume the link, whichever came back: once a newer one was sent, an older code is worth nothing."""
        once, link = self._core.once, link_use(self._core)
        if token is not None:
            return _is_for(await once.take(change, link, token), asked)
        if tried is None or await once.take_code(change, code_use(self._core), tried) is None:
            return False
        return _is_for(await once.take_of(change, link, asked.address.normal), asked)


def _is_for(spent: Spent | None, asked: Asked) -> bool:
    return spent is not None and spent.data["asked"] == asked.id


async def _first_proof(change: Change, account_id: str, address: Address) -> None:
    """Whoever reads the mailbox owns the account: what somebody set up before that counts for nothing (L10)."""
    if await accounts.prove_email(change, account_id, address):
        await accounts.void_credentials(change, account_id)
        await change.emit(EMAIL_VERIFIED(account_id, by=NAME))
