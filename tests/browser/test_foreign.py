"""Another origin on the same machine: its forms change nothing here, and it cannot frame our pages."""

from collections.abc import Iterator
from html import escape

import httpx2
import pytest
from playwright.async_api import Browser, BrowserContext, Page

from ostiary.testing.kit import PASSWORD
from tests.browser.foreign import Foreign, foreign_site
from tests.browser.person import PATIENCE, account
from tests.support.server import Server


@pytest.fixture(scope="module")
def foreign() -> Iterator[Foreign]:
    """The other server."""
    with foreign_site() as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
async def mallory(site: Server) -> None:
    """The attacker's own account, which a victim might be signed in to."""
    await account(site, MALLORY["identifier"])


MALLORY = {"identifier": "mallory@example.com", "password": PASSWORD}
# Another port of one host is the same *site*, so the cookies do come along: SameSite alone would not help.
HOSTS = ("127.0.0.1", "localhost")
FORMS = {
    "/login": MALLORY,
    "/logout": {"csrf_token": "guessed"},
    "/account/sessions/end-others": {},
    "/auth/logout": {"csrf_token": "guessed"},
}


def _form(action: str, fields: dict[str, str]) -> str:
    inputs = "".join(
        f'<input name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items()
    )
    return (
        f'<!doctype html><form method="post" action="{action}">{inputs}</form>'
        '<script>document.forms[0].submit()</script>'
    )  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", FORMS)
async def test_a_foreign_form_changes_nothing(
    browser: Browser, site: Server, foreign: Foreign, path: str, host: str
) -> None:
    """Posted by script from another origin it is refused; both sessions live on, and nobody else is signed in."""
    email = f"victim{path.replace('/', '-')}-{host}@example.com"
    await account(site, email)
    context = await browser.new_context(base_url=site.url)
    context.set_default_timeout(PATIENCE)
    async with site.client() as elsewhere:
        credentials = {"identifier": email, "password": PASSWORD}
        (await elsewhere.post("/auth/login", json=credentials)).raise_for_status()
        page = await _signed_in(context, email)
        before = await _cookies(context)
        foreign.page = _form(site.url + path, FORMS[path])
        async with page.expect_response(lambda answer: answer.request.method == "POST") as posted:
            await page.goto(f"http://{host}:{foreign.server_port}/", wait_until="commit")
        answer = await posted.value
        assert answer.status in (403, 415), "a JSON route takes no form at all"
        sent = await answer.request.all_headers()
        assert ("cookie" in sent) == (host == "127.0.0.1")
        await page.wait_for_load_state()
        assert await _cookies(context) == before
        assert (await elsewhere.get("/auth/session")).status_code == 200
        await page.goto("/account")
        assert email in await page.get_by_role("main").inner_text()
    await context.close()


async def _cookies(context: BrowserContext) -> list[tuple[str, str]]:
    return sorted((one["name"], one["value"]) for one in await context.cookies())


async def _signed_in(context: BrowserContext, email: str) -> Page:
    page = await context.new_page()
    await page.goto("/login")
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    async with page.expect_event("load"):
        await page.get_by_role("button", name="Sign in").click()
    return page


async def test_a_stranger_is_not_signed_in_from_elsewhere(
    browser: Browser, site: Server, foreign: Foreign
) -> None:
    """Without any cookie the foreign sign-in form is refused as well (login CSRF); the right form is not."""
    context = await browser.new_context(base_url=site.url)
    page = await context.new_page()
    foreign.page = _form(f"{site.url}/login", MALLORY)
    async with page.expect_response(lambda answer: answer.request.method == "POST") as posted:
        await page.goto(f"http://127.0.0.1:{foreign.server_port}/", wait_until="commit")
    assert (await posted.value).status == 403
    await page.wait_for_load_state()
    assert await page.get_by_role("heading", level=1).inner_text() == "Please try that again"
    assert await context.cookies() == []
    await context.close()


@pytest.mark.parametrize("path", ["/login", "/account", "/account/sessions/end-others", "/claim"])
async def test_no_page_can_be_framed(browser: Browser, site: Server, foreign: Foreign, path: str) -> None:
    """Chromium shows nothing of ours inside another origin's page, and says why."""
    context = await browser.new_context()
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    foreign.page = f'<!doctype html><iframe src="{site.url}{path}"></iframe>'
    await page.goto(f"http://127.0.0.1:{foreign.server_port}/")
    (frame,) = page.main_frame.child_frames
    await frame.wait_for_load_state()
    assert frame.url.startswith("chrome-error:")
    assert await frame.get_by_role("main").count() == 0
    assert any("frame-ancestors 'none'" in words or "X-Frame-Options" in words for words in said), said
    await context.close()


async def test_a_script_elsewhere_reads_nothing(browser: Browser, site: Server, foreign: Foreign) -> None:
    """Another origin's script neither reads an answer nor gets a simple request through that changes anything."""
    email = "reader@example.com"
    await account(site, email)
    context = await browser.new_context(base_url=site.url)
    page = await _signed_in(context, email)
    foreign.page = "<!doctype html><title>elsewhere</title>"
    await page.goto(f"http://127.0.0.1:{foreign.server_port}/")
    for given in (
        {"credentials": "include"},
        {"credentials": "include", "method": "POST", "body": "{}"},
        {"credentials": "include", "method": "DELETE"},
    ):
        for path in ("/auth/session", "/account", "/auth/logout", "/auth/sessions/revoke-others"):
            told = await page.evaluate(
                "([url, given]) => fetch(url, given).then((one) => one.text(), () => 'refused')",
                [site.url + path, given],
            )
            assert told == "refused", (path, given)
    blind = {"credentials": "include", "mode": "no-cors", "method": "POST", "body": "{}"}
    for path in ("/auth/logout", "/logout", "/auth/sessions/revoke-others"):
        await page.evaluate(
            "([url, given]) => fetch(url, given).then(() => 0, () => 0)", [site.url + path, blind]
        )
    await page.goto("/account")
    assert email in await page.get_by_role("main").inner_text()
    await context.close()


async def test_the_right_origin_gets_through(site: Server) -> None:
    """The same form with our own origin signs in: what is refused above is refused for where it comes from."""
    async with httpx2.AsyncClient(base_url=site.url) as client:
        answer = await client.post("/login", data=MALLORY, headers={"origin": site.url})
        assert (answer.status_code, answer.headers["location"]) == (303, "/account")
