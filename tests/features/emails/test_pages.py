"""The pages of e-mail addresses: without scripts, with a fresh sign-in where one is needed, one button at a time."""

from datetime import timedelta

from ostiary.testing import Kit
from ostiary.testing.kit import PASSWORD, Browser
from tests.features.emails.stage import ANNA, BERT, NEW, added, short
from tests.pages.reading import OWN_FORM, Page, Visitor, visitor


async def signed_in(kit: Kit, address: str = ANNA) -> Visitor:
    """Somebody who signed in through the page."""
    who = visitor(kit)
    await who.submit(await who.open("/login"), "/login", identifier=address, password=PASSWORD)
    return who


def link(page: Page, name: str) -> str:
    """Where a link or button in the main part leads, by what it is called."""
    (found,) = [
        one for one in page.tree.one("main").all("a") if name in (one.text, one.attributes.get("aria-label"))
    ]
    return found.attributes["href"]


async def test_adding_by_the_code(kit: Kit) -> None:
    """From the list to the form, to the page that waits, a wrong code, a new mail, the right one, and back."""
    await kit.signed_up(ANNA)
    anna = await signed_in(kit)
    page = await anna.open("/account/emails")
    assert f"{ANNA} Primary Confirmed" in page.text
    page = await anna.open(link(page, "Add an address"))
    wrong = await anna.submit(page, "/account/emails/add", email="nonsense")
    assert wrong.status == 422
    assert wrong.problem("email").startswith("Enter an e-mail address")
    own = await anna.submit(page, "/account/emails/add", email=ANNA)
    assert (own.status, own.problem("email")) == (409, "This address is yours already.")
    waiting = await anna.submit(page, "/account/emails/add", email=NEW)
    assert waiting.heading == "Look for our mail"
    action = waiting.answer.url.path
    _, code = await kit.verification(NEW)
    wrong = await anna.submit(waiting, action, code=f"{(int(code) + 1) % 1_000_000:06}")
    assert wrong.status == 400
    assert wrong.problem("code").startswith("This code does not work.")
    assert (await anna.submit(waiting, action, code="")).problem("code") == "Enter the code from the mail."
    again = await anna.submit(waiting, f"{action}/resend")
    assert "We have sent another mail." in again.text
    _, code = await kit.verification(NEW, count=2)
    done = await anna.submit(again, action, code=f"{code[:3]} {code[3:]}")
    assert done.answer.url.path == "/account/emails"
    assert "The address is confirmed. You can sign in with it now." in done.text
    assert await short(anna.browser) == [(ANNA, True, True), (NEW, False, True)]
    assert (await anna.open(action)).answer.url.path == "/account/emails", "it waits no more"


async def test_adding_by_the_link(kit: Kit) -> None:
    """Looking at it spends nothing; whoever is not signed in goes to sign in and comes back; the button spends it."""
    await kit.signed_up(ANNA)
    anna = await signed_in(kit)
    await anna.submit(await anna.open("/account/emails/add"), "/account/emails/add", email=NEW)
    token, _ = await kit.verification(NEW)
    path = f"/account/emails/confirm?token={token}"
    phone = visitor(kit)
    login = await phone.open(path)
    assert login.heading == "Sign in"
    page = await phone.submit(login, "/login", identifier=ANNA, password=PASSWORD)
    assert page.heading == "Confirm your new address"
    assert ANNA in page.tree.one("main").text
    await anna.open(path)
    done = await phone.submit(page, "/account/emails/confirm")
    assert "The address is confirmed." in done.text
    spent = await anna.submit(await anna.open(path), "/account/emails/confirm")
    assert (spent.status, spent.heading) == (400, "This link does not work any more")
    assert (await anna.open("/account/emails/confirm")).heading == "This link does not work any more"


async def test_a_link_in_the_wrong_account(kit: Kit) -> None:
    """Who is signed in as somebody else is told, and the link works afterwards for its own account."""
    await kit.signed_up(ANNA)
    await kit.signed_up(BERT)
    anna, bert = await signed_in(kit), await signed_in(kit, BERT)
    await anna.submit(await anna.open("/account/emails/add"), "/account/emails/add", email=NEW)
    token, _ = await kit.verification(NEW)
    path = f"/account/emails/confirm?token={token}"
    refused = await bert.submit(await bert.open(path), "/account/emails/confirm")
    assert (refused.status, refused.heading) == (400, "This link does not work any more")
    done = await anna.submit(await anna.open(path), "/account/emails/confirm")
    assert done.status == 200
    assert await short(anna.browser) == [(ANNA, True, True), (NEW, False, True)]


async def test_primary_and_removal(kit: Kit) -> None:
    """Each asks first and says what it did; the primary address offers neither."""
    await kit.signed_up(ANNA)
    anna = await signed_in(kit)
    await added(kit, _with_token(kit, anna), NEW)
    page = await anna.open("/account/emails")
    ask = await anna.open(link(page, f"Make primary: {NEW}"))
    assert ask.heading == "Make this your primary address?"
    page = await anna.submit(ask, ask.answer.url.path)
    assert "Your primary address is changed." in page.text
    assert NEW in page.tree.one("header").text
    names = {one.attributes.get("aria-label") for one in page.tree.one("main").all("a")}
    assert f"Remove {NEW}" not in names
    ask = await anna.open(link(page, f"Remove {ANNA}"))
    page = await anna.submit(ask, ask.answer.url.path)
    assert "The address is removed." in page.text
    assert await short(anna.browser) == [(NEW, True, True)]


async def test_what_is_needed_says_so(kit: Kit) -> None:
    """Whoever gets to the page of the primary address all the same is told what to do, also on sending the form."""
    await kit.signed_up(ANNA)
    anna = await signed_in(kit)
    (mine,) = (await anna.browser.get("/auth/emails")).json()["emails"]
    path = f"/account/emails/{mine['id']}/remove"
    page = await anna.open(path)
    assert page.heading == "This address is needed"
    token = (await anna.open("/logout")).tree.all("input", name="csrf_token")[0].attributes["value"]
    sent = Page(await anna.browser.post(path, data={"csrf_token": token}, headers=OWN_FORM))
    assert (sent.status, sent.heading) == (409, "This address is needed")


async def test_forgetting_a_wish(kit: Kit) -> None:
    """An address that waits is forgotten on the way that removes one."""
    await kit.signed_up(ANNA)
    anna = await signed_in(kit)
    await anna.submit(await anna.open("/account/emails/add"), "/account/emails/add", email=NEW)
    page = await anna.open("/account/emails")
    assert "Not confirmed" in page.text
    ask = await anna.open(link(page, f"Remove {NEW}"))
    page = await anna.submit(ask, ask.answer.url.path)
    assert "We have forgotten that address." in page.text
    assert await short(anna.browser) == [(ANNA, True, True)]


async def test_a_full_list_offers_no_more(kit: Kit) -> None:
    """Where there is no room the button is gone, and the form says why."""
    await kit.signed_up(ANNA)
    anna = await signed_in(kit)
    form = await anna.open("/account/emails/add")
    for number in range(4):
        await anna.submit(form, "/account/emails/add", email=f"more{number}@example.com")
    full = await anna.submit(form, "/account/emails/add", email="fifth@example.com")
    assert full.status == 409
    assert full.problem("email") == "The account has as many addresses as it may have."
    page = await anna.open("/account/emails")
    assert "Add an address" not in page.text
    assert "room for 5 addresses" in page.text
    overview = await anna.open("/account")
    assert "One address, 4 waiting for confirmation" in overview.text


async def test_a_sign_in_of_today_is_asked_for_again(kit: Kit) -> None:
    """Before a form is shown that needs it, and when one is sent that was open for long; both lead back to the page."""
    await kit.signed_up(ANNA)
    anna = await signed_in(kit)
    await added(kit, _with_token(kit, anna), NEW)
    page = await anna.open("/account/emails")
    forms = [link(page, name) for name in ("Add an address", f"Make primary: {NEW}", f"Remove {NEW}")]
    opened = [await anna.open(path) for path in forms]
    kit.clock.turn(timedelta(minutes=16))
    for path, form, typed in zip(forms, opened, ({"email": BERT}, {}, {}), strict=True):
        sent = await anna.send(form, path, **typed)
        assert (sent.status_code, sent.headers["location"]) == (303, f"/login?next={path}&again=1")
        looked = await anna.browser.get(path)
        assert looked.headers["location"] == f"/login?next={path}&again=1"
    again = await anna.open(forms[2])
    assert again.heading == "Sign in again"
    back = await anna.submit(again, "/login", password=PASSWORD)
    assert back.heading == "Remove this address?"
    assert await short(anna.browser) == [(ANNA, True, True), (NEW, False, True)]


async def test_addresses_of_another_account_are_not_found(kit: Kit) -> None:
    """Neither looked at nor changed; the page says no more than for an id of nobody."""
    await kit.signed_up(ANNA)
    bert = await kit.signed_in(BERT)
    await added(kit, bert, NEW)
    foreign = (await bert.get("/auth/emails")).json()["emails"][1]["id"]
    anna = await signed_in(kit)
    for email_id in (foreign, "0" * 32, "nonsense"):
        for end in ("", "/primary", "/remove"):
            assert (await anna.open(f"/account/emails/{email_id}{end}")).status == 404
    assert await short(bert) == [(BERT, True, True), (NEW, False, True)]


def _with_token(kit: Kit, who: Visitor) -> Browser:
    """The same cookies in a browser that calls the API as a script would."""
    return kit.browser(cookies=who.browser.cookies)
