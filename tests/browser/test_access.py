"""Every page in every state, measured: axe-core, overflow, titles; by size, look and contrast theme."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from playwright.async_api import Browser

from ostiary.engine.features import RIBS
from tests.browser.conftest import Seat
from tests.browser.person import Person, account
from tests.browser.stand import standing
from tests.browser.states import (
    SERVED,
    STOOD,
    walk_closed,
    walk_enrolment,
    walk_factor,
    walk_served,
    walk_two_steps,
)
from tests.support.ribs import WordOfTheDay
from tests.support.server import Server
from tests.support.tree import ROOT

AXE: Final = ROOT / "node_modules" / "axe-core" / "axe.min.js"
# CSS pixels: a narrow phone, a phone, 1280 at 200 %, and 1280 at 400 % (WCAG 2.2, 1.4.10).
WIDTHS: Final = (360, 640, 320)
# Everything at the smallest size, in the light. The dark look differs in colours alone, and no style shows or hides
# anything by the width, so that a large window moves things and changes nothing else.
Look = Literal["light", "dark"]
_COLOURS: Final = ("color-contrast", "link-in-text-block")
_RULES: Final[dict[tuple[int, Look], tuple[str, ...] | None]] = {
    (360, "light"): None,
    (360, "dark"): _COLOURS,
    (1280, "light"): ("color-contrast", "scrollable-region-focusable", "target-size"),
}
_RUN: Final = """async (rules) => {
  const found = await axe.run(document, {resultTypes: ["violations"], ...(rules && {runOnly: rules})});
  return found.violations.filter((one) => ["serious", "critical"].includes(one.impact)).map((one) =>
    `${one.id} (${one.impact}): ` + one.nodes.map((node) => node.html.slice(0, 120)).join(" | "));
}"""
_WIDER: Final = "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"


@dataclass
class Seen:
    """What was measured, by state.

    Attributes:
        violations: What axe-core found, with size and look.
        overflow: How many pixels each width is exceeded by.
    """

    violations: dict[str, list[str]] = field(default_factory=dict)
    overflow: dict[str, dict[int, int]] = field(default_factory=dict)

    async def look(self, state: str, person: Person) -> None:
        """Measure what a person has before them."""
        assert state not in self.violations, state
        page = person.page
        before = page.viewport_size
        assert before is not None
        found: list[str] = []
        await page.evaluate(AXE.read_text("utf-8"))
        for (width, color_scheme), rules in _RULES.items():
            await page.set_viewport_size({"width": width, "height": 740})
            await page.emulate_media(color_scheme=color_scheme, reduced_motion="reduce")
            found += [f"{width} {color_scheme}: {one}" for one in await page.evaluate(_RUN, rules)]
        self.violations[state] = found
        self.overflow[state] = {}
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 740})
            self.overflow[state][width] = await page.evaluate(_WIDER)
        await page.set_viewport_size(before)


# A walk past every page takes a minute on a busy machine. It is one test, so that it is made once, however many
# processes share the tests.
pytestmark = pytest.mark.timeout(400)


def judge(seen: Seen, states: Iterable[str]) -> None:
    """The walk has led past every page, axe found nothing, and nobody scrolls sideways."""
    assert sorted(seen.violations) == sorted(states)
    assert {state: found for state, found in seen.violations.items() if found} == {}
    assert {state: wide for state, wide in seen.overflow.items() if any(wide.values())} == {}


async def test_every_served_page(browser: Browser, site: Server) -> None:
    """No violation of serious or critical impact, and nothing that sticks out: in every state of the usual pages."""
    seen = Seen()
    await walk_served(browser, site, seen.look)
    judge(seen, SERVED)


async def test_every_rarer_page(browser: Browser, tmp_path: Path) -> None:
    """The same where somebody is shut out, needs a factor, adds one, or takes one of several."""
    seen, day, email = Seen(), WordOfTheDay(), "factor@example.com"

    def folder(name: str) -> Path:
        made = tmp_path / name
        made.mkdir()
        return made

    async with standing(folder("factor"), ribs=(*RIBS, day.rib)) as kit:
        anna = await kit.signed_in(email)
        day.words[(await anna.get("/auth/session")).json()["user"]["id"]] = "mellow"
        await walk_factor(browser, kit, email, seen.look)
    async with standing(folder("closed"), registration_open=False) as kit:
        await walk_closed(browser, kit, seen.look)
    required: dict[str, Any] = {"require_factor": "everybody", "factor_grace": "0s"}
    async with standing(folder("required"), host="localhost", **required) as kit:
        await kit.signed_up(email)
        await walk_enrolment(browser, kit, email, seen.look)
    async with standing(folder("steps"), host="localhost", email_code=True) as kit:
        await kit.signed_up(email)
        await walk_two_steps(browser, kit, email, seen.look)
    judge(seen, STOOD)


async def test_the_measure_can_fail(seat: Seat) -> None:
    """A picture without words, pale text and a wide box are found."""
    person = await seat()
    await person.open("/login")
    await person.page.locator("main h1").evaluate(
        """heading => {
          heading.style.cssText = "color: #ddd; width: 70rem";
          heading.after(new Image());
        }"""
    )
    seen = Seen()
    await seen.look("login", person)
    words = " ".join(seen.violations["login"])
    assert "color-contrast" in words
    assert "image-alt" in words
    assert min(seen.overflow["login"].values()) > 0


@pytest.mark.parametrize("path", ["/login", "/signup", "/account", "/account/sessions"])
async def test_contrast_themes_and_still_pages(seat: Seat, site: Server, path: str) -> None:
    """With the colours of a contrast theme every button keeps an edge and the current page its mark; nothing moves."""
    email = f"theme{path.replace('/', '-')}@example.com"
    await account(site, email)
    person = await seat(forced_colors="active", reduced_motion="reduce")
    if path.startswith("/account"):
        await person.sign_in(email)
    await person.open(path)
    page = person.page
    assert await page.evaluate("matchMedia('(forced-colors: active)').matches")
    edges = await page.locator(".button, input:not([type=hidden], [type=checkbox])").evaluate_all(
        "all => all.map((one) => [getComputedStyle(one).borderTopStyle, getComputedStyle(one).borderTopWidth])"
    )
    assert edges
    assert all(style == "solid" and float(width[:-2]) >= 1 for style, width in edges)
    for current in await page.locator("nav [aria-current]").all():
        assert await current.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    moving = await page.evaluate(
        """[...document.querySelectorAll("*")].filter((one) => {
          const style = getComputedStyle(one);
          return parseFloat(style.transitionDuration) > 0 || style.animationName !== "none";
        }).map((one) => one.outerHTML.slice(0, 80))"""
    )
    assert moving == []
