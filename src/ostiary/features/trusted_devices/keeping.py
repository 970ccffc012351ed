"""Owns what the door asks of trusted devices: finding, using and adding one, in the change of a sign-in."""

from typing import Final

from ostiary.core.accounts.accounts import Account
from ostiary.core.change import Change
from ostiary.core.device import describe_device, read_device
from ostiary.core.signin.trust import Trusted
from ostiary.features.trusted_devices import cookie as cookies
from ostiary.features.trusted_devices import store
from ostiary.features.trusted_devices.settings import TrustedDeviceSettings
from ostiary.features.trusted_devices.store import TrustedRow
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World, span_micros
from ostiary.storage.database import Reads

TRUSTED: Final = EventType(
    "device_trusted",
    "Whoever signed in with both steps will be spared the second one in that browser, `until` then.",
    Severity.NOTICE,
    ("trusted", "until"),
    tell_owner=True,
    words="You chose not to be asked for the second step on a device: {trusted}.",
    at_every_address=True,
)
UNKNOWN: Final = "unknown device"


class Devices:
    """Keeps trusted devices, as `core.signin.trust.TrustedDevices`.

    Args:
        world: Clock and chance.
        settings: How long, how many, and for whom.
    """

    def __init__(self, world: World, settings: TrustedDeviceSettings) -> None:
        self._world = world
        self._most = settings.trusted_devices_per_account
        self.lifetime = settings.trusted_device_lifetime
        self.where_required = settings.trusted_devices == "on"

    async def find(self, change: Change, account: Account, cookie: str) -> str | None:
        """The id of the device that the cookie proves to be trusted by this account, whose row is locked.

        Everything that ends trust locks that row, too, so what is found here is trusted to the end of the change.
        """
        found = await proven(change, account.id, cookie, change.micros)
        return None if found is None else found.id

    async def use(self, change: Change, account_id: str, device_id: str, session_id: str) -> None:
        """Note which session a device has let in."""
        await change.run(
            store.USE, of_id=device_id, of_account=account_id, now=change.micros, new_session_id=session_id
        )

    async def add(self, change: Change, account: Account, cookie: str | None) -> Trusted:
        """Trust this browser from now on, in place of whatever it had of this account."""
        kept = cookies.read(cookie)
        before = await proven(change, account.id, cookie, change.micros)
        if before is not None:
            await change.all(store.END, of_id=before.id, of_account=account.id)
            del kept[before.id]
        await change.run(
            store.MAKE_ROOM,
            of_account=account.id,
            epoch=account.security_epoch,
            now=change.micros,
            most=self._most - 1,
        )
        device_id, secret = self._world.id(), self._world.token()
        device = read_device(change.origin.user_agent)
        await change.run(
            store.ADD,
            id=device_id,
            account_id=account.id,
            secret_hash=cookies.hash_of(device_id, secret),
            security_epoch=account.security_epoch,
            device=device.device,
            browser=device.browser,
            ip=change.origin.ip,
            created_at=change.micros,
            expires_at=change.micros + span_micros(self.lifetime),
            last_used_at=None,
            session_id=None,
        )
        until = (change.now + self.lifetime).isoformat(timespec="seconds")
        trusted = describe_device(change.origin.user_agent) or UNKNOWN
        await change.emit(TRUSTED(account.id, trusted=trusted, until=until))
        return Trusted(cookies.write(device_id, secret, kept), self.lifetime)

    async def has_let_in(self, reads: Reads, account_id: str, session_id: str) -> bool:
        """Whether a device that is still trusted has let this session in, as its latest one."""
        now = self._world.micros()
        found = await reads.one(store.HAS_LET_IN, of_account=account_id, session_id=session_id, now=now)
        return found is not None


async def proven(reads: Reads, account_id: str, cookie: str | None, now: int) -> TrustedRow | None:
    """The device of an account that a cookie proves: by id, then by a comparison that takes the same time for all.

    Args:
        now: In microseconds.
    """
    presented = cookies.read(cookie)
    if not presented:
        return None
    for row in await reads.all(store.COUNTING, of_account=account_id, now=now):
        secret = presented.get(row.id)
        if secret is not None and Secret(cookies.hash_of(row.id, secret)).matches(row.secret_hash):
            return row
    return None
