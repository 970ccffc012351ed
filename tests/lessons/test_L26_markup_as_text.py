"""L26: what people choose or send stays text on every page: names, addresses, codes, tokens, ways on, user agents."""

from pathlib import Path

import pytest

from ostiary.engine.features import RIBS
from ostiary.integrations.host import Ostiary
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.pages.reading import OWN_FORM, Page, read, visitor
from tests.pages.tour import tour
from tests.support.ribs import WordOfTheDay

EVIL = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)><svg/onload=alert(1)>",
    "</title></main><iframe srcdoc='<script>1</script>'>--><!--",
    "{{ 7*7 }}{% include 'x' %}${7*7}javascript:alert(1)&lt;b&gt;",
]


def is_harmless(page: Page) -> bool:
    """Whether a page has no element and no attribute that only markup of a stranger could have brought."""
    for one in page.tree.walk():
        if one.tag in ("iframe", "img", "style", "object", "embed", "base") or (
            one.tag == "script" and one.text
        ):
            return False
        if [name for name in one.attributes if name.startswith("on") or name in ("style", "srcdoc")]:
            return False
        if [name for name in ("href", "src", "action") if "script:" in one.attributes.get(name, "").lower()]:
            return False
    scripts = [one.attributes.get("src", "") for one in page.tree.all("script")]
    ours = ("/assets/ostiary.", "/assets/passkeys.")  # the second one where there is a ceremony
    return (
        len(scripts) == len(set(scripts))
        and 1 <= len(scripts) <= 2
        and all(one.startswith(ours) for one in scripts)
    )


def test_the_probe_sees_markup() -> None:
    """The check below can fail."""
    for html in ("<script>x</script>", "<img src=x>", '<b onclick="x">b</b>', '<a href="JavaScript:x">a</a>'):
        page = object.__new__(Page)
        page.tree = read(html)
        assert not is_harmless(page)


@pytest.mark.parametrize("name", EVIL)
async def test_a_name_is_text_on_every_page(tmp_path: Path, name: str) -> None:
    """A display name, an identifier and an address made of markup, through every page in every state."""
    day = WordOfTheDay()
    given = {"site_name": name, "support_contact": name, "email_code": True}
    async with running(tmp_path, ribs=(*RIBS, day.rib), **given) as kit:  # type: ignore[arg-type]
        pages = await tour(kit, day, "anna@example.com", name)
    for where, page in pages.items():
        assert is_harmless(page), where
        assert name in "".join(one for one in _texts(page)), where
    assert pages["account"].heading == f"Hello, {' '.join(name.split())}"
    for where, field in (("signup wrong", "email"), ("login wrong", "identifier"), ("resend wrong", "email")):
        assert pages[where].tree.one("input", id=field).attributes["value"] == name


async def test_a_profile_is_text(tmp_path: Path) -> None:
    """What stands in profile fields, the owner's and the application's, on the page, in the form, after a mistake."""
    async with running(tmp_path, profile_fields="motto text 200, plan text 200 read-only") as kit:
        await kit.signed_up("anna@example.com")
        anna = visitor(kit)
        page = await anna.open("/login")
        await anna.submit(page, "/login", identifier="anna@example.com", password=PASSWORD)
        owner = (await anna.browser.get("/auth/session")).json()["user"]["id"]
        for words in EVIL:
            await Ostiary(kit.engine).set_profile(owner, {"plan": words})
            page = await anna.open("/account/profile")
            saved = await anna.submit(page, "/account/profile", name=words, profile_motto=words)
            wrong = await anna.submit(saved, "/account/profile", name="a\u202eb" + words, profile_motto=words)
            for one in (saved, wrong):
                assert is_harmless(one)
                assert one.tree.one("input", id="profile_motto").attributes["value"] == words
                assert words in "".join(_texts(one)), "the read-only field"
            assert wrong.status == 422
            mine = await anna.browser.get("/auth/account")
            assert mine.json()["profile"] == {"motto": words, "plan": words}
            assert mine.headers["content-type"] == "application/json"


def _texts(page: Page) -> list[str]:
    return [
        child for one in (page.tree, *page.tree.walk()) for child in one.children if isinstance(child, str)
    ]


async def test_what_is_sent_is_text(tmp_path: Path) -> None:
    """Every field that a page sends back, and every query parameter, with markup in it."""
    day = WordOfTheDay()
    fields = (
        "token", "email", "code", "identifier", "password", "name", "next", "attempt", "factor", "factors", "remember",
    )  # fmt: skip
    async with running(tmp_path, ribs=(*RIBS, day.rib)) as kit:
        for words in EVIL:
            await _send_everywhere(kit, fields, words)


async def _send_everywhere(kit: Kit, fields: tuple[str, ...], words: str) -> None:
    browser = kit.browser(sends_csrf=False)
    names = ("token", "next", "done", "use", "email")
    for line in kit.engine.app.declared:
        if (
            line.path.startswith(("/auth", "/oauth2", "/dev", "/assets", "/healthz", "/readyz"))
            or "{" in line.path
        ):
            continue
        if line.method == "GET":
            answer = await browser.get(line.path, params=dict.fromkeys(names, words))
        else:
            answer = await browser.post(line.path, data=dict.fromkeys(fields, words), headers=OWN_FORM)
        if answer.status_code != 303:
            assert is_harmless(Page(answer)), line.path
        else:
            assert answer.headers["location"].startswith("/"), line.path
