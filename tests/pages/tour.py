"""Owns a tour of every page in every state, for what must hold on all of them."""

import asyncio
import json
import re
from datetime import timedelta

import pyotp

from ostiary.testing.authenticator import SoftwareAuthenticator
from ostiary.testing.kit import PASSWORD, Kit
from tests.core.signin.stage import account_id
from tests.features.api_keys.stage import give
from tests.pages.reading import Page, Visitor, visitor
from tests.security.stage import drained
from tests.support.ribs import WordOfTheDay

# One page for each method and path that answers with HTML, and each state that looks different.
PLAIN = (
    "signup", "check", "check blank", "confirm", "resend", "spent", "done", "login", "unverified", "factor", "account",
    "profile", "security", "password", "sessions", "activity", "end", "end others", "logout", "csrf", "nothing",
    "roles", "recover", "recover sent", "recover sent blank", "reset", "reset done", "reset spent",
    "link ask", "link sent", "link use", "link elsewhere",
    "factors", "app new", "app confirm", "codes", "app remove", "codes ask", "mail code new", "mail code confirm",
    "mail code remove", "passkey new", "passkey name", "passkey remove", "passkey login",
    "emails", "email add", "email waits", "email link", "email spent", "email primary", "email remove", "email needed",
    "export", "delete", "deletion", "deletion blank",
    "keys", "key new", "key made", "key rotate", "key revoke", "people", "person", "take",
    "not me", "not me done", "not me spent", "trusted", "trusted forget", "trusted forget all",
)  # fmt: skip


async def tour(kit: Kit, day: WordOfTheDay, email: str, name: str = "Anna") -> dict[str, Page]:
    """Walk through everything: signing up, proving the address, signing in with two factors, the account.

    Args:
        kit: With codes by mail allowed.
        day: A factor of this engine; the account is enrolled on the way.
    """
    seen: dict[str, Page] = {}
    anna = visitor(kit)
    await _getting_in(kit, anna, email, name, seen)
    account_id = (await anna.browser.get("/auth/session")).json()["user"]["id"]
    await _emails(kit, anna, email, seen)  # first: it needs a fresh sign-in
    await _keys(anna, name, seen)
    await _factors(kit, anna, email, name, seen)
    await _account(kit, anna, email, seen)
    seen["logout"] = await anna.open("/logout")
    seen["signed out"] = await anna.submit(seen["logout"], "/logout")
    day.words[account_id] = "mellow"
    await _second_factor(kit, anna, email, seen)
    await _recovering(kit, visitor(kit), email, name, seen)
    await _people(kit, visitor(kit), email, name, seen)
    await _leaving(kit, visitor(kit), seen)
    await _not_me(kit, visitor(kit), seen)
    return seen


async def _getting_in(kit: Kit, anna: Visitor, email: str, name: str, seen: dict[str, Page]) -> None:
    seen["signup"] = await anna.open("/signup")
    seen["signup wrong"] = await anna.submit(
        seen["signup"], "/signup", email=name, name=name, password="short"
    )
    seen["check"] = await anna.submit(seen["signup"], "/signup", email=email, name=name, password=PASSWORD)
    seen["check wrong"] = await anna.submit(seen["check"], "/verify", code="12345")
    seen["check blank"] = await visitor(kit).open("/signup/check")
    seen["login"] = await anna.open("/login")
    seen["login wrong"] = await anna.submit(seen["login"], "/login", identifier=name, password="wrong")
    seen["unverified"] = await anna.submit(seen["login"], "/login", identifier=email, password=PASSWORD)
    seen["resend"] = await anna.open("/verify/resend")
    seen["resend wrong"] = await anna.submit(seen["resend"], "/verify/resend", email=name)
    token, _ = await kit.verification(email)
    seen["confirm"] = await anna.open(f"/verify?token={token}")
    seen["done"] = await anna.submit(seen["confirm"], "/verify")
    seen["spent"] = await anna.submit(seen["confirm"], "/verify")
    await _by_mail(kit, anna, email, seen)
    seen["account"] = await anna.submit(seen["login"], "/login", identifier=email, password=PASSWORD)


async def _by_mail(kit: Kit, anna: Visitor, email: str, seen: dict[str, Page]) -> None:
    seen["link ask"] = await anna.open("/login/link/ask")
    seen["link ask wrong"] = await anna.submit(seen["link ask"], "/login/link/ask", email="nobody")
    seen["link sent"] = await anna.submit(seen["link ask"], "/login/link/ask", email=email)
    token = re.search(r"/login/link\?token=([\w-]+)", (await kit.mail_to(email, count=2))["text"])
    assert token is not None
    seen["link use"] = await anna.open(f"/login/link?token={token[1]}")
    seen["link elsewhere"] = await visitor(kit).open(f"/login/link?token={token[1]}")
    seen["link code wrong"] = await anna.submit(seen["link sent"], "/login/link", code="12345")
    seen["link spent"] = await anna.open("/login/link?token=nonsense")


async def _account(kit: Kit, anna: Visitor, email: str, seen: dict[str, Page]) -> None:
    other = kit.browser(headers={"user-agent": "<script>alert(1)</script>"})
    await other.post("/auth/login", json={"identifier": email, "password": PASSWORD})
    other_id = (await other.get("/auth/session")).json()["session"]["id"]
    seen["profile"] = await anna.open("/account/profile")
    seen["profile wrong"] = await anna.submit(seen["profile"], "/account/profile", name="a\u202eb")
    seen["activity"] = await anna.open("/account/activity")
    seen["roles"] = await anna.open("/account/roles")
    seen["export"] = await anna.open("/account/export")
    seen["security"] = await anna.open("/account/security")
    seen["password fresh"] = await anna.open("/account/password")
    kit.clock.turn(timedelta(minutes=16))
    seen["password"] = await anna.open("/account/password")
    wrong = {"current_password": "wrong", "new_password": "another harbour seventeen lanterns"}
    seen["password wrong"] = await anna.submit(seen["password"], "/account/password", **wrong)
    poor = {"current_password": PASSWORD, "new_password": "short"}
    seen["password poor"] = await anna.submit(seen["password"], "/account/password", **poor)
    seen["sessions"] = await anna.open("/account/sessions")
    seen["end others"] = await anna.open("/account/sessions/end-others")
    seen["end"] = await anna.open(f"/account/sessions/{other_id}/end")
    seen["nothing"] = await anna.open("/account/sessions/nothing/end")
    seen["csrf"] = Page(await anna.browser.post("/account/sessions/end-others", data={}))


async def _keys(anna: Visitor, name: str, seen: dict[str, Page]) -> None:
    new = "/account/api-keys/new"
    seen["no keys"] = await anna.open("/account/api-keys")
    seen["key new"] = await anna.open(new)
    seen["key new wrong"] = await anna.submit(seen["key new"], new, name=name, scopes="everything")
    seen["key made"] = await anna.submit(seen["key new"], new, name=name[:60], networks="192.0.2.0/24")
    seen["keys"] = await anna.open("/account/api-keys")
    key_id = (await anna.browser.get("/auth/api-keys")).json()["api_keys"][0]["id"]
    seen["key rotate"] = await anna.open(f"/account/api-keys/{key_id}/rotate")
    seen["key revoke"] = await anna.open(f"/account/api-keys/{key_id}/revoke")


async def _emails(kit: Kit, anna: Visitor, email: str, seen: dict[str, Page]) -> None:
    other = f"{kit.engine.core.world.id()}@example.com"
    before = len([mail for mail in kit.mailbox.messages() if mail["to"] == email])
    seen["email add"] = await anna.open("/account/emails/add")
    seen["email add wrong"] = await anna.submit(seen["email add"], "/account/emails/add", email="wrong")
    seen["email waits"] = await anna.submit(seen["email add"], "/account/emails/add", email=other)
    path = seen["email waits"].answer.url.path
    seen["email waits wrong"] = await anna.submit(seen["email waits"], path, code="12345")
    token, _ = await kit.verification(other)
    seen["email link"] = await anna.open(f"/account/emails/confirm?token={token}")
    seen["emails"] = await anna.submit(seen["email link"], "/account/emails/confirm")
    await kit.mail_to(email, count=before + 1)
    seen["email spent"] = await anna.open("/account/emails/confirm")
    seen["email primary"] = await anna.open(f"{path}/primary")
    seen["email remove"] = await anna.open(f"{path}/remove")
    primary = (await anna.browser.get("/auth/emails")).json()["emails"][0]["id"]
    seen["email needed"] = await anna.open(f"/account/emails/{primary}/remove")


async def _factors(kit: Kit, anna: Visitor, email: str, name: str, seen: dict[str, Page]) -> None:
    new, mail = "/account/factors/totp/new", "/account/factors/email-code"
    seen["factors"] = await anna.open("/account/factors")
    seen["app new"] = await anna.open(new)
    seen["app new wrong"] = await anna.submit(seen["app new"], new, name="a\u202eb")
    seen["app confirm"] = await anna.submit(seen["app new"], new, name=name[:60])
    here = seen["app confirm"].answer.url.path
    seen["app wrong"] = await anna.submit(seen["app confirm"], here, code="12345")
    secret = seen["app confirm"].tree.one("p", class_="key").text.replace(" ", "")
    seen["codes"] = await anna.submit(seen["app wrong"], here, code=pyotp.TOTP(secret).at(kit.clock.now()))
    seen["factors one"] = await anna.open("/account/factors")
    seen["codes ask"] = await anna.open("/account/factors/backup-codes")
    seen["codes new"] = await anna.submit(seen["codes ask"], "/account/factors/backup-codes")
    seen["mail code new"] = await anna.open(mail)
    before = {one["id"] for one in kit.mailbox.messages()}
    seen["mail code confirm"] = await anna.submit(seen["mail code new"], mail)
    here = f"{mail}/confirm"
    seen["mail code again"] = await anna.submit(seen["mail code confirm"], mail)
    seen["mail code wrong"] = await anna.submit(seen["mail code confirm"], here, code="12345")
    code = await _mailed_code(kit, email, before, count=2)
    seen["factors all"] = await anna.submit(seen["mail code wrong"], here, code=code)
    seen["mail code remove"] = await anna.open(f"{mail}/remove")
    seen["mail code off"] = await anna.submit(seen["mail code remove"], f"{mail}/remove")
    removals = [one.attributes["href"] for one in seen["mail code off"].tree.all("a")]
    remove = next(one for one in removals if one.endswith("/remove"))
    seen["app remove"] = await anna.open(remove)
    seen["factors none"] = await anna.submit(seen["app remove"], remove)
    await _passkeys(kit, anna, name, seen)


async def _passkeys(kit: Kit, anna: Visitor, name: str, seen: dict[str, Page]) -> None:
    new = "/account/factors/passkeys/new"
    seen["passkey new"] = await anna.open(new)
    seen["passkey new wrong"] = await anna.submit(seen["passkey new"], new, name="", response="{}")
    seen["passkey new blamed"] = await anna.submit(seen["passkey new"], new, name="a\u202eb", response="")
    token = {"x-csrf-token": anna.browser.cookies[kit.engine.app.edge.cookies.csrf]}
    asked = await anna.browser.post("/auth/passkeys/register/options", headers=token)
    made = SoftwareAuthenticator().create(asked.json()["options"], kit.base_url)
    seen["codes passkey"] = await anna.submit(
        seen["passkey new"], new, name=name[:60], response=json.dumps(made)
    )
    listed = (await anna.browser.get("/auth/passkeys")).json()["passkeys"]
    one = f"/account/factors/passkeys/{listed[0]['id']}"
    seen["factors passkey"] = await anna.open("/account/factors")
    seen["passkey name"] = await anna.open(one)
    seen["passkey name wrong"] = await anna.submit(seen["passkey name"], one, name="a\u202eb")
    seen["passkey named"] = await anna.submit(seen["passkey name"], one, name=f"My {name}"[:60])
    seen["passkey remove"] = await anna.open(f"{one}/remove")
    seen["factors without"] = await anna.submit(seen["passkey remove"], f"{one}/remove")
    stranger = visitor(kit)
    seen["passkey login"] = await stranger.open("/login/passkey")
    seen["passkey login wrong"] = await stranger.submit(
        seen["passkey login"], "/login/passkey", response=name
    )


async def _mailed_code(kit: Kit, email: str, before: set[str], *, count: int) -> str:
    """The latest of so many codes that were mailed since."""
    for _ in range(1000):
        mails = [one for one in kit.mailbox.messages() if one["to"] == email and one["id"] not in before]
        found = [re.search(r"^\s*(\d{6})\s*$", one["text"], re.MULTILINE) for one in mails]
        codes = [one[1] for one in found if one]
        if len(codes) >= count:
            return codes[-1]
        await asyncio.sleep(0.01)
    raise AssertionError(f"{count} codes did not come to {email}")


async def _second_factor(kit: Kit, anna: Visitor, email: str, seen: dict[str, Page]) -> None:
    login = await anna.open("/login")
    seen["factor"] = await anna.submit(login, "/login", identifier=email, password=PASSWORD)
    seen["factor wrong"] = await anna.submit(seen["factor"], "/login/factor", code="nonsense")
    seen["factor empty"] = await anna.submit(seen["factor"], "/login/factor", code="")
    await anna.submit(seen["factor"], "/login/factor", code="mellow", trust_device="on")
    await drained(kit)  # its mail is not the one that is waited for next
    seen["trusted"] = await anna.open("/account/trusted-devices")
    ((device_id),) = set(re.findall(r"/account/trusted-devices/(\w+)/forget", seen["trusted"].answer.text))
    seen["trusted forget"] = await anna.open(f"/account/trusted-devices/{device_id}/forget")
    seen["trusted forget all"] = await anna.open("/account/trusted-devices/forget-all")
    seen["trusted none"] = await anna.submit(
        seen["trusted forget all"], "/account/trusted-devices/forget-all"
    )
    seen["trusted forget none"] = await anna.open("/account/trusted-devices/forget-all")


async def _recovering(kit: Kit, anna: Visitor, email: str, name: str, seen: dict[str, Page]) -> None:
    seen["recover"] = await anna.open("/recover")
    seen["recover wrong"] = await anna.submit(seen["recover"], "/recover", email=name)
    seen["recover sent blank"] = await anna.open("/recover/sent")
    before = len([mail for mail in kit.mailbox.messages() if mail["to"] == email])
    seen["recover sent"] = await anna.submit(seen["recover"], "/recover", email=email)
    mail = await kit.mail_to(email, count=before + 1)
    seen["reset"] = await anna.open(mail["links"][0].removeprefix(kit.base_url))
    seen["reset poor"] = await anna.submit(seen["reset"], "/recover/reset", new_password="short")
    seen["reset done"] = await anna.submit(
        seen["reset"], "/recover/reset", new_password="another harbour seventeen lanterns"
    )
    seen["reset spent"] = await anna.open("/recover/reset")


async def _people(kit: Kit, root: Visitor, email: str, name: str, seen: dict[str, Page]) -> None:
    address = f"{kit.engine.core.world.id()}@example.com"
    await kit.signed_up(address)
    await give(kit, await account_id(kit, address), "superadmin")
    await root.submit(await root.open("/login"), "/login", identifier=address, password=PASSWORD)
    path = "/account/roles/people"
    seen["people"] = await root.open(path)
    seen["people wrong"] = await root.submit(seen["people"], path, email=name)
    seen["person"] = await root.submit(seen["people"], path, email=email)
    one = seen["person"].answer.url.path
    seen["person wrong"] = await root.submit(seen["person"], one, role=name)
    await root.submit(seen["person"], one, role="moderator")
    seen["person"] = await root.open(one)
    seen["take"] = await root.open(f"{one}/take?role=moderator&scope=")


async def _leaving(kit: Kit, berta: Visitor, seen: dict[str, Page]) -> None:
    seen["deletion blank"] = await berta.open("/account/delete/done")
    email = f"{kit.engine.core.world.id()}@example.com"
    await kit.signed_up(email)
    await berta.submit(await berta.open("/login"), "/login", identifier=email, password=PASSWORD)
    seen["delete"] = await berta.open("/account/delete")
    seen["deletion"] = await berta.submit(seen["delete"], "/account/delete")


async def _not_me(kit: Kit, clara: Visitor, seen: dict[str, Page]) -> None:
    email = f"{kit.engine.core.world.id()}@example.com"
    await kit.signed_in(email)
    await kit.sign_in(email, ip="203.0.113.5")
    mail = await kit.mail_to(email, count=2)
    seen["not me"] = await clara.open(mail["links"][0].removeprefix(kit.base_url))
    seen["not me done"] = await clara.submit(seen["not me"], "/not-me")
    seen["not me spent"] = await clara.open("/not-me")
