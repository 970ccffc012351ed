"""Owns the JSON routes of an account's e-mail addresses."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from ostiary.features.emails import flow
from ostiary.features.emails.settings import EmailSettings
from ostiary.http.access import CurrentOrigin, CurrentSession
from ostiary.http.inputs import CurrentCore, JsonBody
from ostiary.kernel.secret import Secret

router = APIRouter(tags=["e-mail addresses"])

EmailId = Annotated[str, Path(max_length=64)]


class EmailView(JsonBody):
    """An address of the account. One that waits for its proof has no `verified_at`, and an `expires_at`."""

    id: str
    email: str
    primary: bool
    verified: bool
    created_at: datetime
    verified_at: datetime | None
    expires_at: datetime | None


class Emails(JsonBody):
    """The primary one first; `limit` is how many there may be."""

    emails: list[EmailView]
    limit: int


class EmailBody(JsonBody):
    """An address to add."""

    email: Annotated[str, Field(min_length=3, max_length=flow.LONGEST_EMAIL)]


class EmailTokenBody(JsonBody):
    """The token from the link."""

    token: Annotated[str, Field(min_length=1, max_length=flow.LONGEST_TOKEN)]


class EmailCodeBody(JsonBody):
    """The code from the mail."""

    code: Annotated[str, Field(min_length=1, max_length=flow.LONGEST_CODE)]


class EmailWaits(JsonBody):
    """The same answer for every address, whoever has it."""

    status: str = "verification_sent"
    id: str


class EmailVerified(JsonBody):
    """The address is the account's, and signs in to it."""

    status: str = "verified"


class EmailIsPrimary(JsonBody):
    """It is the primary one."""

    status: str = "primary"


@router.get("/auth/emails")
async def list_emails(core: CurrentCore, current: CurrentSession) -> Emails:
    """The account's addresses, and those that wait for their proof."""
    return Emails(
        emails=[
            EmailView(
                id=one.id,
                email=one.email,
                primary=one.is_primary,
                verified=one.verified_at is not None,
                created_at=one.created_at,
                verified_at=one.verified_at,
                expires_at=one.expires_at,
            )
            for one in await flow.mine(core, current.principal)
        ],
        limit=core.settings.of(EmailSettings).emails_per_account,
    )


@router.post("/auth/emails", status_code=202)
async def add_email(
    body: EmailBody, core: CurrentCore, origin: CurrentOrigin, current: CurrentSession
) -> EmailWaits:
    """Ask for another address; a mail goes there. Needs a fresh sign-in."""
    return EmailWaits(id=await flow.add(core, origin, current.principal, body.email))


@router.post("/auth/emails/verify")
async def verify_by_link(
    body: EmailTokenBody, core: CurrentCore, origin: CurrentOrigin, current: CurrentSession
) -> EmailVerified:
    """Prove an address with the token from the link, signed in to the account that wants it."""
    await flow.prove_by_link(core, origin, current.principal, Secret(body.token))
    return EmailVerified()


@router.post("/auth/emails/{email_id}/verify")
async def verify_by_code(
    email_id: EmailId,
    body: EmailCodeBody,
    core: CurrentCore,
    origin: CurrentOrigin,
    current: CurrentSession,
) -> EmailVerified:
    """Prove an address with the code from the mail."""
    await flow.prove_by_code(core, origin, current.principal, email_id, body.code)
    return EmailVerified()


@router.post("/auth/emails/{email_id}/resend", status_code=202)
async def resend_mail(
    email_id: EmailId, core: CurrentCore, origin: CurrentOrigin, current: CurrentSession
) -> EmailWaits:
    """Send the mail for a waiting address again."""
    await flow.resend(core, origin, current.principal, email_id)
    return EmailWaits(id=email_id)


@router.post("/auth/emails/{email_id}/primary")
async def make_primary(
    email_id: EmailId, core: CurrentCore, origin: CurrentOrigin, current: CurrentSession
) -> EmailIsPrimary:
    """Make a proven address the primary one. Needs a fresh sign-in."""
    await flow.make_primary(core, origin, current.principal, email_id)
    return EmailIsPrimary()


@router.delete("/auth/emails/{email_id}", status_code=204)
async def remove_email(
    email_id: EmailId, core: CurrentCore, origin: CurrentOrigin, current: CurrentSession
) -> None:
    """Remove an address, or forget one that waits. Needs a fresh sign-in."""
    await flow.remove(core, origin, current.principal, email_id)
