"""A front end on another origin gets tokens by a one-time code, in Chromium as its developers would write it."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from playwright.async_api import Browser, Page

from ostiary.testing.kit import PASSWORD
from tests.browser.foreign import Foreign, foreign_site
from tests.browser.person import PATIENCE, account
from tests.support.server import Server, serving

ANNA = "anna@example.com"
# What a single-page app does: draw a verifier, send people away with its challenge, exchange what they bring back.
APP = """<!doctype html><title>app</title><p role="status">starting</p><button>Sign in</button><script>
const site = "SITE", words = document.querySelector("p"), url = new URL(location.href);
const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const show = (value) => { words.textContent = value; };
document.querySelector("button").onclick = async () => {
  const verifier = text(crypto.getRandomValues(new Uint8Array(32)));
  sessionStorage.setItem("verifier", verifier);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  location.href = `${site}/login?` + new URLSearchParams({
    next: `${url.origin}/in`, code_challenge: text(digest) });
};
const post = (path, body) => fetch(site + path, {
  method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body) });
const exchange = async (code) => {
  const answer = await post("/auth/token", {code, code_verifier: sessionStorage.getItem("verifier")});
  window.told = await answer.json();
  if (!answer.ok) { show(window.told.code); return; }
  const me = await fetch(site + "/auth/session", {headers: {Authorization: `Bearer ${window.told.access_token}`}});
  show((await me.json()).user.email);
};
url.searchParams.has("code") ? exchange(url.searchParams.get("code")) : show("ready");
</script>"""


@pytest.fixture(scope="module")
def app() -> Iterator[Foreign]:
    """The front end's own server."""
    with foreign_site() as server:
        yield server


@pytest.fixture(scope="module")
async def site(app: Foreign, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server that knows the front end, and one account."""
    folder, origin = tmp_path_factory.mktemp("site"), _origin(app)
    settings: dict[str, Any] = {
        "front_end_origins": origin, "token_origins": origin, "after_sign_in": f"{origin}/in",
    }  # fmt: skip
    async with serving(folder, "--dev", "--data", str(folder / "data"), **settings) as server:
        app.page = APP.replace("SITE", server.url)
        await account(server, ANNA)
        yield server


def _origin(app: Foreign) -> str:
    return f"http://127.0.0.1:{app.server_port}"


async def _status(page: Page, words: str) -> None:
    await page.get_by_role("status").get_by_text(words, exact=True).wait_for()


async def test_from_the_app_and_back(browser: Browser, site: Server, app: Foreign) -> None:
    """Away to the sign-in page, back with a code that is exchanged across origins; the pair lives on without cookies.

    The code in the address is spent: whoever reads it in the history gets nothing.
    """
    context = await browser.new_context()
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    await page.goto(_origin(app) + "/")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_label("E-mail address").fill(ANNA)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{_origin(app)}/in?code=*")
    await _status(page, ANNA)

    told = await page.evaluate("window.told")
    pair = await page.evaluate(
        "(token) => post('/auth/refresh', {refresh_token: token}).then((one) => one.json())",
        told["refresh_token"],
    )
    assert not any(
        token in url for url in seen for token in (*told.values(), *pair.values()) if len(str(token)) > 20
    )
    async with httpx2.AsyncClient(base_url=site.url) as program:
        bearer = {"authorization": f"Bearer {pair['access_token']}"}
        assert (await program.get("/auth/session", headers=bearer)).json()["user"]["email"] == ANNA

    await page.reload()
    await _status(page, "code_invalid")

    # Signed in at the site, there is nothing to type the second time.
    await page.goto(_origin(app) + "/")
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{_origin(app)}/in?code=*")
    await _status(page, ANNA)
    await context.close()


async def test_a_site_that_is_not_on_the_list(browser: Browser, site: Server, app: Foreign) -> None:
    """The same app under another origin: people are not led back to it, and its scripts exchange no code they saw."""
    context = await browser.new_context()
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    await page.goto(_origin(app) + "/")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_label("E-mail address").fill(ANNA)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.route("**/auth/token", lambda route: route.abort())  # the app does not get round to it
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{_origin(app)}/in?code=*")
    verifier = await page.evaluate("sessionStorage.getItem('verifier')")
    (code,) = parse_qs(urlsplit(page.url).query)["code"]
    await page.unroute("**/auth/token")

    stranger = f"http://localhost:{app.server_port}"
    await page.goto(stranger)
    exchanged = """([code, code_verifier]) =>
      post('/auth/token', {code, code_verifier}).then(() => 'read', () => 'refused')"""
    assert await page.evaluate(exchanged, [code, verifier]) == "refused"
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading", name="The request is not valid.").wait_for()
    assert page.url.startswith(f"{site.url}/login?")

    await page.goto(f"{_origin(app)}/")
    assert await page.evaluate(exchanged, [code, verifier]) == "read", (
        "it was not spent by the stranger's try"
    )
    await context.close()
