"""Owns what tests of trusted devices share: taking both steps and asking for trust, and looking at what is kept."""

from typing import Any, Final

import httpx2
import orjson
import sqlalchemy as sa

from ostiary.core.accounts import accounts
from ostiary.core.change import Change
from ostiary.core.journal.store import journal
from ostiary.core.signin.trust import Trusted
from ostiary.features.trusted_devices.keeping import Devices
from ostiary.features.trusted_devices.settings import TrustedDeviceSettings
from ostiary.features.trusted_devices.store import trusted_device
from ostiary.storage.statement import Query
from ostiary.testing import Browser, Kit
from tests.core.signin.stage import account_id, changed, login
from tests.features.totp.stage import App, enrolled

ANNA: Final = "anna@example.com"
_ROWS: Final = Query(
    "test.trusted_devices",
    sa.select(trusted_device.c.id, trusted_device.c.last_used_at).order_by(trusted_device.c.created_at),
    lambda *columns: columns,
)

_ENDED: Final = Query(
    "test.device_trust_ended",
    sa.select(journal.c.data).where(journal.c.type == "device_trust_ended"),
    orjson.loads,
    scan=True,
)


async def rows(kit: Kit) -> list[tuple[Any, ...]]:
    """Id and last use of every trusted device of everybody."""
    return await kit.engine.core.database.all(_ROWS)


async def said(kit: Kit) -> list[dict[str, Any]]:
    """What the journal says of every end of trust."""
    return await kit.engine.core.database.all(_ENDED)


async def with_app(kit: Kit, address: str = ANNA) -> App:
    """A new account with an authenticator app, and nobody signed in."""
    return await enrolled(kit, await kit.signed_in(address))


async def step_two(
    browser: Browser, app: App, attempt: str, *, trust: bool = True, **more: Any
) -> httpx2.Response:
    """Answer by app, and ask for trust."""
    body = {"attempt": attempt, "factor": "totp", "code": app.fresh_code(), "trust_device": trust, **more}
    return await browser.post("/auth/login/factor", json=body)


async def trust(
    browser: Browser, app: App, address: str = ANNA, *, is_wanted: bool = True
) -> httpx2.Response:
    """Sign in with both steps, and have this browser trusted; signed out again."""
    asked = (await login(browser, address)).json()
    assert asked["status"] == "factor_required", asked
    done = await step_two(browser, app, asked["attempt"], trust=is_wanted)
    assert done.json()["session"]["acr"] == "2"
    (await browser.post("/auth/logout")).raise_for_status()
    return done


async def planted(kit: Kit, address: str) -> str:
    """Have a device trusted by an account that is there, without signing in; the value of its cookie."""
    core = kit.engine.core
    devices, who = (
        Devices(core.world, core.settings.of(TrustedDeviceSettings)),
        await account_id(kit, address),
    )

    async def work(change: Change) -> Trusted:
        return await devices.add(change, await accounts.lock_active(change, who), None)

    return (await changed(kit, work)).cookie.reveal()


async def is_spared(browser: Browser, address: str = ANNA, **more: Any) -> bool:
    """Whether the password alone signs in here, with a session that says so; signed out again."""
    answer = (await login(browser, address, **more)).json()
    if answer["status"] == "factor_required":
        return False
    assert (answer["session"]["acr"], answer["session"]["amr"]) == ("1", ["pwd"])
    (await browser.post("/auth/logout")).raise_for_status()
    return True


def cookie(kit: Kit, browser: Browser) -> str | None:
    """What the browser has of trust."""
    return browser.cookies.get(kit.engine.app.edge.cookies.trust)
