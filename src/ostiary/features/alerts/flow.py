"""Owns noticing a new device, and what its owner's "this was not me" leads to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import Account, recipients, why_barred
from ostiary.core.accounts.address import parse_email
from ostiary.core.change import Change
from ostiary.core.device import Device, describe_device, read_device
from ostiary.core.once.once import Spent, Use
from ostiary.core.signin import disowned
from ostiary.core.signin.disowned import DISOWNED
from ostiary.core.throttle.limits import Hit, Window
from ostiary.core.wiring import Core, Parts
from ostiary.features.alerts import store
from ostiary.features.alerts.settings import AlertSettings
from ostiary.features.alerts.store import Place
from ostiary.http.settings import HttpSettings
from ostiary.kernel.errors import Refused, code
from ostiary.kernel.events import Event, EventType, Severity
from ostiary.kernel.origin import Origin, network_of
from ostiary.kernel.secret import Secret

ALERT_INVALID: Final = code(
    "alert_invalid",
    400,
    "This link does not work (any more).",
    "It is wrong, expired or was used. Choose a new password with `/auth/password/forgot`.",
)
NEW_DEVICE: Final = EventType(
    "sign_in_new_device",
    "A sign-in completed from a browser or device that the account does not know.",
    Severity.NOTICE,
    ("session_id",),
    words="That was from a new device.",
)
ALERT_FAILED: Final = EventType("alert_failed", 'A wrong or spent link "this was not me".', Severity.NOTICE)
EVENTS: Final = (NEW_DEVICE, ALERT_FAILED)
MAIL: Final = "new_device"
PAGE: Final = "/not-me"
LONGEST_TOKEN: Final = 200
# Of live sessions, and of those that ended last.
_MOST_PLACES: Final = 20
# Whoever has just signed up knows where they are.
_NEW_ACCOUNT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Alert:
    """A sign-in that somebody was told of.

    Attributes:
        email: Where the mail went.
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


def is_new(ip: str, device: Device, others: list[Place]) -> bool:
    """Whether somebody signs in from where nobody has before: no session of the same browser in the same network.

    Asked only of browsers that do not carry our note about this account, such as private windows and programs. What was
    there before an owner's "this was not me" says nothing of who is at home.

    Args:
        ip: From where.
        device: With what.
        others: Where the account's other sessions were begun. Whatever ended after a disowning was begun after it, so
            the latest of them are enough.
    """
    disowned_at = max((one.ended_at or 0 for one in others if one.ended_why == DISOWNED.name), default=0)
    here = (_family(device), network_of(ip))
    return not any(
        (_family(Device(one.device, one.browser)), network_of(one.ip)) == here
        for one in others
        if one.created_at >= disowned_at
    )


def _family(device: Device) -> tuple[str, str]:
    # "Firefox 131" becomes "Firefox 132" by itself.
    return device.device, device.browser.rstrip("0123456789. ")


async def notice(parts: Parts, change: Change, event: Event) -> None:
    """Reaction to `sign_in_succeeded`, in the same transaction: tell every proven address of a new device."""
    settings, account = parts.settings.of(AlertSettings), event.carried
    if not settings.new_device_mail or event.data["is_known_browser"] or not isinstance(account, Account):
        return
    session_id = str(event.data["session_id"])
    places = await change.all(store.PLACES, of_account=account.id, most=_MOST_PLACES)
    others = [place for place in places if place.id != session_id]
    is_first = not others and change.now < account.created_at + _NEW_ACCOUNT
    if is_first or not is_new(change.origin.ip, read_device(change.origin.user_agent), others):
        return
    await change.emit(NEW_DEVICE(account.id, session_id=session_id))
    use, target = _use(parts), settings.not_me_url or parts.settings.of(HttpSettings).link(PAGE)
    for to in await recipients(change, account.id):
        origin = change.origin
        alert = Alert(
            account.id, session_id, to.address, change.now, origin.ip, describe_device(origin.user_agent)
        )
        token = await parts.once.issue(change, use, f"{session_id}:{to.address}", alert.data)
        context = {
            "link": f"{target}?token={token.reveal()}",
            "link_lifetime": settings.not_me_lifetime,
            "at": alert.at,
            "ip": alert.ip,
            "device": alert.device,
        }
        expires_at = change.now + settings.not_me_lifetime
        await parts.post.send(change, MAIL, to.address, context, language=to.locale, expires_at=expires_at)


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
    await disowned.disown(change, account, alert.session_id, parse_email(alert.email))


def _invalid(reason: str) -> Refused:
    return Refused(ALERT_INVALID, reason, events=(ALERT_FAILED(),))
