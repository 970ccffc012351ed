"""Owns a walk through every page in every state that a browser can reach."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from typing import Final

import pyotp
from playwright.async_api import Browser

from ostiary.testing import Kit
from tests.browser.device import Device
from tests.browser.person import FIREFOX, Person, account, link_token, sitting
from tests.features.email_code.test_email_code import code
from tests.support.server import PROGRAM, Server, environment

# Looks at what somebody has before them, under a name.
Look = Callable[[str, Person], Awaitable[None]]

# Each of them, so that nobody walks past a page: what the walk must have looked at.
SERVED: Final = (
    "signup", "signup wrong", "signup typed", "check", "check wrong", "check resent", "check blank", "confirm",
    "done", "spent", "resend", "resend wrong", "login", "login empty", "login wrong", "unverified", "too many",
    "account", "profile", "profile wrong", "emails", "email add", "email add wrong", "email waits",
    "email waits wrong", "email link", "email added", "email primary", "email remove", "activity", "export", "delete",
    "deletion", "security", "sessions", "end", "end others", "others ended", "end others alone", "nothing",
    "stale form", "logout", "signed out", "claim", "claim done", "claim spent", "mailbox", "mails", "mail text",
    "mail", "recover", "recover wrong", "recover sent", "reset", "reset wrong", "reset done", "reset spent",
    "password", "password wrong", "keys", "no keys", "key new", "key new wrong", "key made", "key rotate",
    "key rotated", "key revoke", "roles", "people", "people wrong", "person", "person wrong", "person given", "take",
    "take refused", "not me", "not me done", "not me spent",
)  # fmt: skip
STOOD: Final = (
    "factor", "factor wrong", "factor empty", "trusted", "trusted forget", "trusted forget all", "closed", "enrol",
    "enrol passkey", "enrol app", "enrol wrong", "enrol codes",
    "needed", "app remove needed", "factors", "app new", "app confirm", "app wrong", "codes", "factors one",
    "app remove", "codes ask", "mail code", "mail code confirm", "factor mail",
    "signup passkeys", "signup passkey wrong",
    "login passkeys", "passkey login", "passkey new", "passkey refused", "passkey name", "factor passkey",
)  # fmt: skip


async def walk_served(browser: Browser, server: Server, look: Look) -> None:
    """Everything that `ostiary serve --dev` shows."""
    email = "walk@example.com"
    async with sitting(browser, server.url) as person:
        await _signing_up(person, server, email, look)
        await _signing_in(person, server, email, look)
        await _account(browser, person, server, email, look)
        await _claim(person, server, email, look)
    await account(server, "walk-forgot@example.com")
    async with sitting(browser, server.url) as person:
        await _password(person, server, "walk-forgot@example.com", look)
    async with sitting(browser, server.url) as person:
        await _not_me(person, server, "walk-forgot@example.com", look)


async def walk_factor(browser: Browser, kit: Kit, email: str, look: Look) -> None:
    """The second step of signing in, for somebody who is enrolled in a factor."""
    async with sitting(browser, kit.base_url) as person:
        await person.sign_in(email)
        await look("factor", person)
        for state, word in (("factor wrong", "nonsense"), ("factor empty", "")):
            await person.page.get_by_role("main").get_by_role("textbox").fill(word)
            await person.press("Go on")
            await look(state, person)
        await person.page.get_by_role("main").get_by_role("textbox").fill("mellow")
        await person.page.get_by_label("Don't ask for a second step on this device for 30 days").check()
        await person.press("Go on")
        await person.open("/account/trusted-devices")
        await look("trusted", person)
        await person.page.get_by_role("main").get_by_role("link", name="Forget", exact=False).first.click()
        await look("trusted forget", person)
        await person.open("/account/trusted-devices/forget-all")
        await look("trusted forget all", person)


async def walk_enrolment(browser: Browser, kit: Kit, email: str, look: Look) -> None:
    """Adding a second step at the door, where everybody needs one; then the last one stays."""
    async with sitting(browser, kit.base_url) as person:
        await person.sign_in(email)
        await look("enrol", person)
        await person.press("Add a passkey")
        await look("enrol passkey", person)
        await person.press("Instead: Set up an authenticator app")
        await look("enrol app", person)
        await person.fill("First code", "12345")
        await person.press("Go on")
        await look("enrol wrong", person)
        await person.fill("First code", await _code_of_key(person, kit))
        await person.press("Go on")
        await look("enrol codes", person)
        await person.open("/account/factors")
        await look("needed", person)
        apps = await person.page.evaluate("fetch('/auth/mfa').then((answer) => answer.json())")
        await person.open(f"/account/factors/totp/{apps['factors'][0]['id']}/remove")
        await look("app remove needed", person)


async def walk_two_steps(browser: Browser, kit: Kit, email: str, look: Look) -> None:
    """The account's pages about second steps, with codes by mail allowed, where browsers know passkeys."""
    async with sitting(browser, kit.base_url) as person:
        device = await Device.of(person.page, verifies=False)
        await person.open("/signup")
        await look("signup passkeys", person)
        await person.fill("E-mail address", "nobody@example.com")
        await person.page.get_by_role("button", name="Use a passkey instead of a password").click()
        await person.page.locator("[data-said]:not(:empty)").wait_for()
        await look("signup passkey wrong", person)
        await person.open("/login/passkey")
        await look("passkey login", person)
        await person.open("/login")
        await look("login passkeys", person)
        await person.sign_in(email)
        await person.open("/account/factors")
        await look("factors", person)
        await person.press("Add an authenticator app", role="link")
        await look("app new", person)
        await person.fill("What do you call it? (optional)", "The phone with the long name in my left pocket")
        await person.press("Go on")
        await look("app confirm", person)
        await person.fill("Code from the app", "12345")
        await person.press("Confirm")
        await look("app wrong", person)
        await person.fill("Code from the app", await _code_of_key(person, kit))
        await person.press("Confirm")
        await look("codes", person)
        await person.press("I have saved them", role="link")
        await look("factors one", person)
        await person.page.get_by_role("main").get_by_role("link", name="Remove").click()
        await look("app remove", person)
        await person.open("/account/factors/backup-codes")
        await look("codes ask", person)
        await person.open("/account/factors/email-code")
        await look("mail code", person)
        await person.press("Mail me a code")
        await look("mail code confirm", person)
        await person.fill("Code from the mail", await code(kit, 1, email))
        await person.press("Confirm")
        await _passkey(person, device, look)
        await person.context.clear_cookies()
        await person.sign_in(email)
        await look("factor passkey", person)
        await person.press("Use instead: Code that we mail you", role="link")
        await look("factor mail", person)


async def _passkey(person: Person, device: Device, look: Look) -> None:
    await person.open("/account/factors/passkeys/new")
    await look("passkey new", person)
    await person.fill("What do you call it? (optional)", "The key with the long name on my ring")
    await person.press("Make a passkey")
    await person.open("/account/factors/passkeys/new")
    await person.page.get_by_role("button", name="Make a passkey").click()
    await person.page.get_by_text("has a passkey of your account already").wait_for()
    await look("passkey refused", person)
    await person.open("/account/factors")
    await person.press("Rename The key with the long name on my ring", role="link")
    await look("passkey name", person)
    assert len(await device.credentials()) == 1


async def _code_of_key(person: Person, kit: Kit) -> str:
    key = await person.page.locator(".key").inner_text()
    return pyotp.TOTP(key.replace(" ", "").strip()).at(kit.clock.now())


async def walk_closed(browser: Browser, kit: Kit, look: Look) -> None:
    """A sign-up that is closed."""
    async with sitting(browser, kit.base_url) as person:
        await person.open("/signup")
        await look("closed", person)


async def _signing_up(person: Person, server: Server, email: str, look: Look) -> None:
    await person.open("/signup/check")
    await look("check blank", person)
    await person.open("/signup")
    await look("signup", person)
    await person.sign_up("no address", name="Anna", password="short")
    await look("signup wrong", person)
    await person.open("/signup")
    await person.page.get_by_label("Password", exact=True).press_sequentially("harbour 17")
    await person.page.get_by_text("Strength:").wait_for()
    await person.page.get_by_role("button", name="Show password").click()
    await look("signup typed", person)
    await person.sign_up(email, name="Anna")
    await look("check", person)
    await person.fill("6-digit code", "12345")
    await person.press("Confirm")
    await look("check wrong", person)
    await person.press("Send it again")
    await look("check resent", person)
    await person.open("/verify/resend")
    await look("resend", person)
    await person.fill("E-mail address", "no address")
    await person.press("Send me a new mail")
    await look("resend wrong", person)


async def _signing_in(person: Person, server: Server, email: str, look: Look) -> None:
    await person.open("/login")
    await look("login", person)
    await person.press("Sign in")
    await look("login empty", person)
    await person.sign_in(email, "wrong")
    await look("login wrong", person)
    await person.sign_in(email)
    await look("unverified", person)
    token = await link_token(server, email, count=2)
    await person.open(f"/verify?token={token}")
    await look("confirm", person)
    await person.press("Confirm my address")
    await look("done", person)
    await person.open(f"/verify?token={token}")
    await person.press("Confirm my address")
    await look("spent", person)
    async with server.client() as client:
        wrong = {"identifier": "locked@example.com", "password": "wrong"}
        await asyncio.gather(*(client.post("/auth/login", json=wrong) for _ in range(5)))
    await person.sign_in("locked@example.com", "wrong")
    await look("too many", person)
    await person.open("/dev/mailbox")
    await look("mailbox", person)
    for state, path in (("mails", "/dev/mails"), ("mail text", "/dev/mails/de/core/account_locked")):
        await person.open(path)
        await look(state, person)
    # As a mail program has it before it: where it is served, no script runs that could look at it.
    async with server.client() as client:
        mail = await client.get("/dev/mails/de/email_verification/verify_email/html")
    await person.page.goto("about:blank")
    await person.page.set_content(mail.text)
    await look("mail", person)


async def _account(browser: Browser, person: Person, server: Server, email: str, look: Look) -> None:
    async with sitting(browser, server.url, user_agent=FIREFOX) as other:
        await other.sign_in(email)
    await person.sign_in(email)
    await look("account", person)
    await person.open("/account/profile")
    await look("profile", person)
    await person.fill("Your name (optional)", "A\u202enna")
    await person.press("Save")
    await look("profile wrong", person)
    await _emails(person, server, look)
    await _keys(person, look)
    await person.open("/account/activity")
    await look("activity", person)
    await person.open("/account/export")
    await look("export", person)
    await person.open("/account/delete")
    await look("delete", person)
    await person.open("/account/delete/done")
    await look("deletion", person)
    await person.open("/account/security")
    await look("security", person)
    await person.open("/account/sessions")
    await look("sessions", person)
    async with person.page.expect_event("load"):
        await person.page.get_by_role("main").get_by_role("link", name="Firefox").click()
    await look("end", person)
    await person.open("/account/sessions/nothing/end")
    await look("nothing", person)
    await person.open("/account/sessions/end-others")
    await look("end others", person)
    # As it is after signing in anew in another tab.
    await person.page.locator("main input[name=csrf_token]").evaluate("field => { field.value = 'old'; }")
    await person.press("Sign them out")
    await look("stale form", person)
    await person.open("/account/sessions/end-others")
    await person.press("Sign them out")
    await look("others ended", person)
    await person.open("/account/sessions/end-others")
    await look("end others alone", person)
    await person.open("/logout")
    await look("logout", person)
    await person.press("Sign out")
    await look("signed out", person)


async def _emails(person: Person, server: Server, look: Look) -> None:
    other = "walks-on@example.com"
    await person.open("/account/emails")
    await look("emails", person)
    await person.press("Add an address", role="link")
    await look("email add", person)
    await person.press("Send the mail")
    await look("email add wrong", person)
    await person.fill("E-mail address", other)
    await person.press("Send the mail")
    await look("email waits", person)
    await person.fill("6-digit code", "12345")
    await person.press("Confirm")
    await look("email waits wrong", person)
    await person.open(f"/account/emails/confirm?token={await link_token(server, other)}")
    await look("email link", person)
    await person.press("Confirm the address")
    await look("email added", person)
    await person.press(f"Make primary: {other}", role="link")
    await look("email primary", person)
    await person.open("/account/emails")
    await person.press(f"Remove {other}", role="link")
    await look("email remove", person)


async def _keys(person: Person, look: Look) -> None:
    await person.open("/account/api-keys")
    await look("no keys", person)
    await person.press("Make a key", role="link")
    await look("key new", person)
    await person.fill("What is it for?", "The nightly copy of everything that was written")
    await person.fill("Permissions (optional)", "everything")
    await person.press("Make the key")
    await look("key new wrong", person)
    await person.fill("Permissions (optional)", "")
    await person.fill("Addresses (optional)", "203.0.113.0/24 2001:db8:1234:5678::/64")
    await person.press("Make the key")
    await look("key made", person)
    await person.press("I have saved it", role="link")
    await look("keys", person)
    await person.press("Rotate The nightly copy of everything that was written", role="link")
    await look("key rotate", person)
    await person.press("Make the new key")
    await look("key rotated", person)
    await person.open("/account/api-keys")
    await person.page.get_by_role("main").get_by_role("link", name="Revoke").first.click()
    await look("key revoke", person)


async def _password(person: Person, server: Server, email: str, look: Look) -> None:
    await person.open("/recover")
    await look("recover", person)
    await person.press("Send me the link")
    await look("recover wrong", person)
    await person.fill("E-mail address", email)
    await person.press("Send me the link")
    await look("recover sent", person)
    link = f"/recover/reset?token={await link_token(server, email, count=2)}"
    await person.open(link)
    await look("reset", person)
    await person.fill("New password", "walk-forgot@example.com")
    await person.press("Set the new password")
    await look("reset wrong", person)
    await person.fill("New password", "another harbour seventeen lanterns")
    await person.press("Set the new password")
    await look("reset done", person)
    await person.open(link)
    await look("reset spent", person)
    await person.sign_in(email, "another harbour seventeen lanterns")
    await person.open("/account/password")
    await look("password", person)
    await person.fill("New password", "short")
    await person.press("Change password")
    await look("password wrong", person)


async def _not_me(person: Person, server: Server, email: str, look: Look) -> None:
    async with server.client(headers={"user-agent": FIREFOX}) as thief:
        given = {"identifier": email, "password": "another harbour seventeen lanterns"}
        (await thief.post("/auth/login", json=given)).raise_for_status()
    link = f"/not-me?token={await link_token(server, email, count=4)}"
    await person.open(link)
    await look("not me", person)
    await person.press("This was not me")
    await look("not me done", person)
    await person.open(link)
    await look("not me spent", person)


async def claim_link(server: Server) -> str:
    """A new claim link, printed by the command beside the running server."""
    data = server.log.parent / "data"
    done = await asyncio.to_thread(
        subprocess.run,
        [PROGRAM, "claim", "--dev", "--data", str(data), "--base-url", server.url],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


async def _claim(person: Person, server: Server, email: str, look: Look) -> None:
    await person.sign_in(email)
    link = await claim_link(server)
    await person.open(link)
    await look("claim", person)
    await person.press("Make me administrator")
    await look("claim done", person)
    await person.open(link)
    await person.press("Make me administrator")
    await look("claim spent", person)
    await person.open("/account/roles")
    await look("roles", person)
    await person.press("Give and take roles", role="link")
    await look("people", person)
    await person.fill("E-mail address", "nobody@example.com")
    await person.press("Go on")
    await look("people wrong", person)
    await person.fill("E-mail address", email)
    await person.press("Go on")
    await look("person", person)
    await person.fill("Role", "keeper of everything")
    await person.press("Give the role")
    await look("person wrong", person)
    await person.fill("Role", "moderator")
    await person.press("Give the role")
    await look("person given", person)
    await person.press("Take superadmin", role="link")
    await look("take", person)
    await person.press("Take it")
    await look("take refused", person)
