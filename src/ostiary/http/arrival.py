"""Owns what every way in answers once the door has spoken: signed in, or which factor is missing or must be added."""

from datetime import datetime
from typing import Any, Final, Literal

from starlette.responses import Response

from ostiary.core.accounts.accounts import Account
from ostiary.core.sessions.sessions import Session
from ostiary.core.signin.enrolment import EnrolmentRequired
from ostiary.core.signin.outcome import FactorRequired, Outcome, SignedIn
from ostiary.core.tokens.settings import TOKENS
from ostiary.http.cookies import Header
from ostiary.http.delivery import pair_body
from ostiary.http.entrance import hand_out
from ostiary.http.inputs import JsonBody
from ostiary.http.pages import leave_note, page, see
from ostiary.http.redirects import safe_next
from ostiary.http.visit import Visit

FACTOR: Final = "/login/factor"
ENROL: Final = "/login/enrol"
# Tells the factor's page which sign-in waits, for what, and where it leads; the other, the page where one is added.
WAITING: Final = "factor"
LACKING: Final = "enrol"
_SPARES: Final = "spares.html"


class UserView(JsonBody):
    """Whose session it is."""

    id: str
    email: str | None
    email_verified: bool
    name: str


class SessionView(JsonBody):
    """The session."""

    id: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    amr: list[str]
    acr: str


class LoginComplete(JsonBody):
    """Signed in. `redirect_to` is `next` if that is allowed, else null.

    `backup_codes` were made while a factor was added on the way; they are shown this once. The session is in cookies,
    or with `delivery: tokens` in the last four members.
    """

    status: Literal["complete"] = "complete"
    user: UserView
    session: SessionView
    redirect_to: str | None = None
    backup_codes: tuple[str, ...] = ()
    access_token: str | None = None
    refresh_token: str | None = None
    token_type: str | None = None
    expires_in: int | None = None


class LoginWaits(JsonBody):
    """One of `factors` is needed: send it with `attempt` to `/auth/login/factor`, from the same browser.

    With `delivery: tokens` whoever has the attempt can go on; keep it as you keep tokens. `trust_for` is for how many
    seconds this browser is not asked again, if `trust_device` is sent along; null where that cannot be.
    """

    status: Literal["factor_required"] = "factor_required"
    attempt: str
    factors: list[str]
    trust_for: int | None = None


class LoginLacks(JsonBody):
    """One of `factors` must be added: begin with it and `attempt` at `/auth/login/enrol`, from the same browser."""

    status: Literal["enrolment_required"] = "enrolment_required"
    attempt: str
    factors: list[str]


# What the typed routes declare; they return the plain object, as hot routes do.
Login = LoginComplete | LoginWaits | LoginLacks


def user_view(account: Account) -> dict[str, Any]:
    """An account as JSON."""
    return {
        "id": account.id,
        "email": account.email,
        "email_verified": account.is_email_verified,
        "name": account.name,
    }


def session_view(session: Session) -> dict[str, Any]:
    """A session as JSON."""
    return {
        "id": session.id,
        "created_at": session.created_at,
        "last_seen_at": session.last_seen_at,
        "expires_at": session.expires_at,
        "amr": list(session.amr),
        "acr": session.acr,
    }


def answer(
    visit: Visit, outcome: Outcome, pre: str, wanted: str | None
) -> tuple[dict[str, Any], list[Header]]:
    """The body (`Login`) and the cookies of a JSON answer.

    Args:
        pre: Value of the cookie that a half-done sign-in is bound to; "" when it is bound to none.
        wanted: Where the caller would like to go next.
    """
    if isinstance(outcome, FactorRequired | EnrolmentRequired):
        waits: dict[str, Any] = {"attempt": outcome.attempt, "factors": list(outcome.factors)}
        if isinstance(outcome, FactorRequired):
            span = outcome.trust_for
            waits |= {
                "status": "factor_required",
                "trust_for": None if span is None else int(span.total_seconds()),
            }
        else:
            waits["status"] = "enrolment_required"
        return waits, [visit.edge.cookies.set_pre(pre)] if pre else []
    complete: dict[str, Any] = {
        "status": "complete",
        "user": user_view(outcome.account),
        "session": session_view(outcome.session),
        "redirect_to": safe_next(wanted, visit.edge.settings.after_sign_in),
    }
    if outcome.spares:
        complete["backup_codes"] = [spare.reveal() for spare in outcome.spares]
    if outcome.tokens is not None and outcome.tokens.delivery == TOKENS:
        complete |= pair_body(outcome.tokens)
    return complete, hand_out(visit, outcome)


async def go_on(visit: Visit, outcome: Outcome, pre: str, destination: str) -> Response:
    """The page that follows: where somebody wanted to go, or the one that asks for a factor, or where one is added.

    Backup codes that were made on the way stand before it, this once.

    Args:
        pre: Value of the cookie that a half-done sign-in is bound to.
        destination: Already judged; "" for home.
    """
    if isinstance(outcome, SignedIn):
        onward = destination or visit.edge.shell.home
        if outcome.spares:
            codes = [spare.reveal() for spare in outcome.spares]
            return await page(visit, _SPARES, headers=hand_out(visit, outcome), codes=codes, onward=onward)
        return see(onward, hand_out(visit, outcome))
    told: dict[str, Any] = {"attempt": outcome.attempt, "factors": list(outcome.factors), "next": destination}
    path, kind = ENROL, LACKING
    if isinstance(outcome, FactorRequired):
        path, kind = FACTOR, WAITING
        told["can_trust"] = outcome.trust_for is not None
    return see(path, [visit.edge.cookies.set_pre(pre), leave_note(visit, kind, **told)])
