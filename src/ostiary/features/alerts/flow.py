"""Owns telling the owner of an unusual sign-in, and what "this was not me" leads to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import Status, recipients, why_barred
from ostiary.core.accounts.address import parse_email
from ostiary.core.change import Change
from ostiary.core.device import describe_device
from ostiary.core.once.once import Spent, Use
from ostiary.core.signin import disowned
from ostiary.core.signin.disowned import Disowned
from ostiary.core.signin.watch import Caution, Measure
from ostiary.core.throttle.limits import Hit, Window
from ostiary.core.wiring import Core, Parts
from ostiary.features.alerts import store
from ostiary.features.alerts.settings import AlertSettings
from ostiary.http.settings import HttpSettings
from ostiary.kernel.errors import NOT_FOUND, Refused, code
from ostiary.kernel.events import Event, EventType, Severity
from ostiary.kernel.origin import Origin
from ostiary.kernel.secret import Secret
from ostiary.kernel.settings import Rate
from ostiary.kernel.world import from_micros, span_micros

ALERT_INVALID: Final = code(
    "alert_invalid",
    400,
    "This link does not work (any more).",
    "It is wrong, expired or was used. Choose a new password with `/auth/password/forgot`.",
)
ALERT_FAILED: Final = EventType("alert_failed", 'A wrong or spent link "this was not me".', Severity.NOTICE)
EVENTS: Final = (ALERT_FAILED,)
UNUSUAL: Final = "unusual_sign_in"
STOPPED: Final = "sign_in_stopped"
SEVERAL: Final = "more_unusual_sign_ins"
PAGE: Final = "/not-me"
LONGEST_TOKEN: Final = 200
_AT_ONCE: Final = 100
_REPEATED: Final = Window("alerts-repeated", Rate(1, timedelta(days=1)), by_network=False)


@dataclass(frozen=True, slots=True)
class Alert:
    """A sign-in that somebody was told of.

    Attributes:
        session_id: "" when nobody was let in, or it is about several.
        email: Where the mail went.
        at: When; of several the first.
        ip: "" when it is about several.
    """

    account_id: str
    session_id: str
    email: str
    at: datetime
    ip: str
    device: str

    @property
    def data(self) -> dict[str, str]:
        """What is stored beside the link's hash."""
        return {
            "account": self.account_id,
            "session": self.session_id,
            "email": self.email,
            "at": self.at.isoformat(),
            "ip": self.ip,
            "device": self.device,
        }

    @classmethod
    def of(cls, spent: Spent) -> "Alert":
        """The sign-in that a link is about."""
        data = spent.data
        at = datetime.fromisoformat(data["at"])
        return cls(data["account"], data["session"], data["email"], at, data["ip"], data["device"])


async def notice(parts: Parts, change: Change, event: Event) -> None:
    """Reaction to `suspicious_login`, in the same transaction: tell every proven address what was unusual.

    Whoever knows the password could fill a mailbox by changing networks, and hide something in it. So what is too much
    is counted, and told in one mail by `tell_held`.
    """
    caution, account_id = event.carried, event.account_id or ""
    if not isinstance(caution, Caution) or event.data["outcome"] == Measure.ALLOW.name.lower():
        return
    settings, device = parts.settings.of(AlertSettings), describe_device(change.origin.user_agent)
    # The same about the same, day after day, is no news: a breached password at home, an exit of Tor.
    flags = ",".join(signal.name for signal in caution.signals)
    subject = f"{account_id}:{event.data['outcome']}:{flags}:{change.origin.network}:{device}"
    if not await parts.throttle.fits(change.tx, _REPEATED, subject):
        return
    session_id = str(event.data["session_id"])
    mail = UNUSUAL if session_id else STOPPED
    # Each has its own: who is stopped three times on purpose does not get in unnoticed then.
    most = Window("alerts", settings.alerts_per_account, by_network=False)
    if not await parts.throttle.fits(change.tx, most, f"{account_id}:{mail}"):
        await change.run(store.HOLD, account_id=account_id, since=change.micros)
        return
    about = Alert(account_id, session_id, "", change.now, change.origin.ip, device)
    context: dict[str, Any] = {
        "reasons": [{"name": signal.name, "values": dict(signal.values)} for signal in caution.signals],
        "at": about.at,
        "ip": about.ip,
        "device": about.device,
    }
    if mail == STOPPED:
        context["by_mail"] = caution.measure is Measure.ASK
    await _send(parts, change, mail, about, context)


async def tell_held(core: Core) -> int:
    """Tell owners how many alerts were held back since the first of them, once that is long enough ago.

    Returns:
        How many accounts were told of.
    """
    before = core.world.micros() - span_micros(core.settings.of(AlertSettings).alerts_per_account.period)
    count = 0
    for account_id in await core.database.all(store.DUE, before=before, most=_AT_ONCE):
        async with core.runner.flow(Origin()) as flow:
            count += await flow.change(partial(_tell_held, core, account_id, before))
    return count


async def _tell_held(core: Core, account_id: str, before: int, change: Change) -> bool:
    held = await change.one(store.TAKE, of_account=account_id, before=before)
    if held is None:
        return False  # another worker has told
    about = Alert(account_id, "", "", from_micros(held.since), "", "")
    await _send(core, change, SEVERAL, about, {"num": held.count, "at": about.at})
    return True


async def _send(parts: Parts, change: Change, mail: str, about: Alert, context: Mapping[str, Any]) -> None:
    """Mail every proven address, each with a link of its own."""
    settings = parts.settings.of(AlertSettings)
    use, target = _use(parts), settings.not_me_url or parts.settings.of(HttpSettings).link(PAGE)
    expires_at = change.now + settings.not_me_lifetime
    for to in await recipients(change, about.account_id):
        alert = replace(about, email=to.address)
        subject = f"{about.session_id or change.world.id()}:{to.address}"
        token = await parts.once.issue(change, use, subject, alert.data)
        given = {
            **context,
            "link": f"{target}?token={token.reveal()}",
            "link_lifetime": settings.not_me_lifetime,
        }
        await parts.post.send(change, mail, to.address, given, language=to.locale, expires_at=expires_at)


def _use(parts: Parts) -> Use:
    return Use("not_me_link", parts.settings.of(AlertSettings).not_me_lifetime)


async def look(core: Core, token: Secret) -> Alert | None:
    """What a link is about, if it can be used now; looking spends nothing."""
    spent = await core.once.look(core.database, _use(core), token)
    return None if spent is None else Alert.of(spent)


async def disown(core: Core, origin: Origin, token: Secret) -> None:
    """Shut the account for everybody but whoever reads the mail that this link was in.

    It holds whatever has happened to the account since: whoever got in may have changed the password already.

    Raises:
        Refused: `alert_invalid`, `too_many_attempts`.
    """
    window = Window("not-me", core.settings.of(AlertSettings).not_me_failures_per_network, failures_only=True)
    wrong = Hit(window, origin.network)
    async with core.runner.flow(origin) as flow:
        flow.refuse_full(wrong)
        alert = await look(core, token)
        if alert is None:
            await flow.reserve(wrong)
            raise _invalid("wrong or spent link")
        flow.concerns(alert.account_id)
        await flow.change(partial(_disown, core, token))


async def _disown(core: Core, token: Secret, change: Change) -> None:
    """Spend the link: one of any number of requests gets here first."""
    spent = await core.once.take(change, _use(core), token)
    if spent is None:
        raise _invalid("somebody else was first")
    alert = Alert.of(spent)
    account = await accounts.lock(change, alert.account_id)
    if account is None or why_barred(account, None):
        raise _invalid("the account is gone or disabled")
    told = Disowned(parse_email(alert.email), alert.at)
    await disowned.disown(change, account, alert.session_id, told)


async def enable(core: Core, email: str) -> tuple[str, bool]:
    """Let a disabled account be used again; for operators, who have found out whose it is.

    Returns:
        The account's id, and whether it was disabled.

    Raises:
        Refused: `not_found`; nobody has this address.
    """

    async def work(change: Change) -> tuple[str, bool]:
        found = await accounts.find(change, email)
        account = await accounts.lock(change, found.account_id) if found else None
        if account is None:
            raise Refused(NOT_FOUND, "nobody has this address")
        if not account.is_active:
            await accounts.set_status(change, account.id, Status.ACTIVE, "by an operator")
        return account.id, not account.is_active

    async with core.runner.flow(Origin()) as flow:
        return await flow.change(work)


def _invalid(reason: str) -> Refused:
    return Refused(ALERT_INVALID, reason, events=(ALERT_FAILED(),))
