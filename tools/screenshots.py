"""Owns the pictures of the pages: a server with sample data, photographed at two sizes in both looks.

`make screenshots` writes those that the README and the docs show; `python -m tools.screenshots FOLDER` writes all.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from tests.browser.person import FIREFOX, Person, account, sitting
from tests.support.chromium import chromium
from tests.support.server import serving
from tests.support.tree import ROOT

IMAGES: Final = ROOT / "docs" / "images"
SIZES: Final = {360: 740, 1280: 800}
LOOKS: Final = ("light", "dark")
# What stands in the repository; the rest is for looking at.
KEPT: Final = (
    "login-1280-light",
    "signup-360-light",
    "check-mail-360-dark",
    "account-1280-dark",
    "sessions-1280-light",
)

_EMAIL: Final = "mira@example.com"
_SAFARI: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
_CHROME: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36"
)


async def shoot(folder: Path, kept: Iterable[str] | None = None) -> list[Path]:
    """Write the pictures.

    Args:
        folder: Where to; it exists.
        kept: Their names; unless given all of them.
    """
    wanted = set(kept) if kept is not None else None
    written: list[Path] = []
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        async with (
            chromium() as browser,
            serving(place, "--dev", "--data", str(place / "data"), rate_limit_allow="127.0.0.0/8") as server,
        ):
            await account(server, _EMAIL, name="Mira")
            for agent in (FIREFOX, _SAFARI):
                async with sitting(browser, server.url, user_agent=agent) as person:
                    await person.sign_in(_EMAIL)
            async with sitting(browser, server.url, user_agent=_CHROME) as person:
                for name in ("login", "signup", "check-mail", "account", "sessions"):
                    await _PAGES[name](person)
                    written += await _photograph(person, folder, name, wanted)
    return written


async def _photograph(person: Person, folder: Path, name: str, wanted: set[str] | None) -> list[Path]:
    written = []
    for width, height in SIZES.items():
        for look in LOOKS:
            full = f"{name}-{width}-{look}"
            if wanted is not None and full not in wanted:
                continue
            given: Any = look
            await person.page.emulate_media(color_scheme=given, reduced_motion="reduce")
            await person.page.set_viewport_size({"width": width, "height": height})
            path = folder / f"{full}.png"
            await person.page.screenshot(path=path, animations="disabled")
            written.append(path)
    return written


async def _login(person: Person) -> None:
    await person.open("/login")


async def _signup(person: Person) -> None:
    await person.open("/signup")
    await person.fill("Your name (optional)", "Noa")
    await person.fill("E-mail address", "noa@example.com")
    await person.page.get_by_label("Password", exact=True).press_sequentially("four quiet lanterns")
    await person.page.get_by_text("Strength:").wait_for()


async def _check_mail(person: Person) -> None:
    await person.press("Create account")
    await person.page.get_by_label("6-digit code").focus()


async def _account(person: Person) -> None:
    await person.sign_in(_EMAIL)


async def _sessions(person: Person) -> None:
    await person.open("/account/sessions")


_PAGES: Final = {
    "login": _login,
    "signup": _signup,
    "check-mail": _check_mail,
    "account": _account,
    "sessions": _sessions,
}


def main() -> None:
    """Write the pictures that the command line asks for."""
    given = sys.argv[1:]
    folder = Path(given[0]) if given else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    written = asyncio.run(shoot(folder, None if given else KEPT))
    for path in written:
        print(f"{path.stat().st_size // 1000:4} kB  {path}")


if __name__ == "__main__":
    main()
