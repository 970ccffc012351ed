"""The files that pages load, the operator's style sheet, and what stands at `/`."""

import re
from pathlib import Path

import pytest

from ostiary.engine.features import RIBS
from ostiary.engine.settings import load
from ostiary.http.access import PUBLIC
from ostiary.http.assets import PageSettings, load_assets
from ostiary.http.pages import ago, contact_link, in_words
from ostiary.kernel.errors import Misuse
from ostiary.kernel.world import World, from_micros
from ostiary.server import home
from ostiary.testing import running
from tests.pages.reading import visitor

KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


async def test_assets_are_kept_for_a_year(tmp_path: Path) -> None:
    """Every file that a page names is served under that name, with its type, for ever; HEAD works, POST does not."""
    async with running(tmp_path) as kit:
        who = visitor(kit)
        page = await who.open("/login")
        paths = {one.attributes.get("src") or one.attributes["href"] for one in page.tree.one("head").walk()
                 if one.tag in ("link", "script")}  # fmt: skip
        assert len(paths) == 4
        for path in paths:
            answer = await who.browser.get(path)
            assert answer.headers["content-type"] == KINDS[path.rpartition(".")[2]]
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert (await who.browser.head(path)).status_code == 200
            assert (await who.browser.post(path)).status_code == 405


async def test_another_releases_name_gives_ours_unkept(tmp_path: Path) -> None:
    """While servers are replaced one by one, pages of the other release are not left without a style."""
    async with running(tmp_path) as kit:
        for file in ("ostiary.0123456789abcdef.css", "ostiary.css"):
            answer = await kit.browser().get(f"/assets/{file}")
            assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


async def test_nothing_else_is_served(tmp_path: Path) -> None:
    """Only names that we know; nothing is looked up on the disk."""
    async with running(tmp_path) as kit:
        for file in ("theme.0123456789abcdef.css", "pages.py", "..%2fpages.py", "x", ".", "%2e%2e", "a..css"):
            assert (await kit.browser().get(f"/assets/{file}")).status_code == 404


async def test_the_operators_style_sheet_comes_last(tmp_path: Path) -> None:
    """It is loaded after ours on every page, under a name that changes with its content."""
    theme = tmp_path / "theme.css"
    theme.write_text(":root { --o-accent: rebeccapurple; }")
    async with running(tmp_path, theme_css=str(theme)) as kit:
        page = await visitor(kit).open("/login")
        sheets = [one.attributes["href"] for one in page.tree.all("link", rel="stylesheet")]
        plain = [re.sub(r"\.[0-9a-f]{16}\.", ".", sheet) for sheet in sheets]
        assert plain == ["/assets/ostiary.css", "/assets/theme.css"]
        assert (await kit.browser().get(sheets[1])).text == theme.read_text()
        theme.write_text(":root { --o-accent: teal; }")
        assert load_assets(PageSettings(theme))["theme.css"].path != sheets[1]


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"/" * 300_000])
def test_an_unusable_style_sheet_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    """A missing, garbled or huge file is said at start, and not by pages that look wrong."""
    theme = tmp_path / "theme.css"
    if content is not None:
        theme.write_bytes(content)
    with pytest.raises(Misuse, match="theme_css"):
        load_assets(
            load(RIBS, World(), {"dev": True, "data": tmp_path, "theme_css": str(theme)}).of(PageSettings)
        )


async def test_the_script_talks_to_nobody(tmp_path: Path) -> None:
    """No request, no storage, no evaluation, no markup from strings: it only arranges what is there."""
    async with running(tmp_path) as kit:
        script = kit.engine.app.edge.shell.assets["ostiary.js"].content.decode()
    banned = ("fetch(", "XMLHttp", "sendBeacon", "Storage", "eval(", "Function(", "innerHTML", "document.write",
              "import(", "cookie", "location", "http:", "https:")  # fmt: skip
    assert [word for word in banned if word in script] == []


async def test_the_script_of_passkeys_talks_to_this_site_alone(tmp_path: Path) -> None:
    """Only pages with a ceremony load it; what it asks is what its form says, and nothing of the answer is markup."""
    async with running(tmp_path) as kit:
        script = kit.engine.app.edge.shell.assets["passkeys.js"].content.decode()
        with_it = {
            path for path in ("/login", "/login/passkey", "/signup", "/recover")
            if "passkeys." in (await kit.browser().get(path)).text.partition("</head>")[0]
        }  # fmt: skip
    assert with_it == {"/login", "/login/passkey", "/signup"}
    assert script.count("fetch(") == script.count("fetch(form.dataset.options,") == 1
    banned = ("XMLHttp", "sendBeacon", "Storage", "eval(", "Function(", "innerHTML", "document.write",
              "import(", "cookie", "location", "http:", "https:")  # fmt: skip
    assert [word for word in banned if word in script] == []


async def test_the_root_belongs_to_the_host(tmp_path: Path) -> None:
    """An embedded engine leaves `/` alone; the stand-alone server leads to the account."""
    async with running(tmp_path) as kit:
        assert not kit.engine.app.owns("/")
    (route,) = home.ROUTES
    assert (route.path, route.access) == ("/", PUBLIC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (61, "2 minutes"),
        (3600, "1 hour"),
        (90_000, "2 days"),
    ],
)
def test_durations_in_words(seconds: int, words: str) -> None:
    """Rounded up: nobody comes too early."""
    assert in_words(from_micros(seconds * 1_000_000) - from_micros(0)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"), (59, "just now"), (60, "1 minute ago"), (3599, "59 minutes ago"), (3600, "1 hour ago"),
        (86_399, "23 hours ago"), (86_400, "yesterday"), (172_799, "yesterday"), (172_800, "1 January 1970, 00:00 UTC"),
    ],
)  # fmt: skip
def test_moments_in_words(seconds: int, words: str) -> None:
    """As people say it, and the date where that says more."""
    assert ago(from_micros(0), from_micros(seconds * 1_000_000)) == words


@pytest.mark.parametrize(
    ("contact", "link"),
    [
        ("help@example.com", "mailto:help@example.com"), ("https://example.com/help", "https://example.com/help"),
        ("+49 30 1234", None), ("javascript:alert(1)", None), ("http://example.com", None), ("ask @anna", None),
    ],
)  # fmt: skip
def test_only_safe_contacts_are_links(contact: str, link: str | None) -> None:
    """An address or an https page; anything else is shown as words."""
    assert contact_link(contact) == link
