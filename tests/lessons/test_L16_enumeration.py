"""L16: nobody learns from an answer, its cost or its consequences whether an address is known, or in which state."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ostiary.testing import Kit
from ostiary.testing.authenticator import SoftwareAuthenticator
from ostiary.testing.kit import PASSWORD, Browser
from tests.pages.reading import visitor
from tests.security.stage import (
    WRONG,
    Print,
    ask,
    ask_as,
    drained,
    mails_to,
    network,
    people,
    still,
    try_password,
)

NEW = "another harbour seventeen lanterns"


@pytest.fixture
async def quiet(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine on each database, whose clock stands still."""
    async with still(tmp_path, database=database_url) as kit:
        yield kit


def same_for_all(prints: dict[str, list[Print]]) -> list[Print]:
    """What everybody was answered, in every detail of `Print`."""
    expected = prints["unknown"]
    for kind, seen in prints.items():
        assert seen == expected, f"{kind} can be told from unknown"
    return expected


async def test_a_failed_sign_in_tells_nothing(quiet: Kit) -> None:
    """Seven failures in a row, past the lock: answer, headers, delay, hashes and statements are equal for all kinds."""
    everybody = await people(quiet)
    prints: dict[str, list[Print]] = {kind: [] for kind in everybody}
    for _ in range(7):
        for number, (kind, (address, password)) in enumerate(everybody.items()):
            prints[kind].append(await try_password(quiet, address, password, ip=network(number)))
    seen = same_for_all(prints)
    assert [one.status for one in seen] == [401] * 5 + [429] * 2
    assert [one.hashes for one in seen] == [2] * 5 + [0] * 2
    assert [one.letters for one in seen] == [0] * 4 + [1, 0, 0]  # the fifth tells the owner, or nobody
    assert [one.body["code"] for one in seen] == ["invalid_credentials"] * 5 + ["too_many_attempts"] * 2
    assert all(one.cookies == () for one in seen)
    await drained(quiet)
    locked = {kind for kind, (address, _) in everybody.items() if mails_to(quiet, address) == 2}
    assert locked == everybody.keys() - {"unknown", "unverified"}, "only proven owners are told"


async def test_every_later_lock_tells_nothing(quiet: Kit) -> None:
    """The locks after the first look alike for all kinds, too: the same wait after the same failures."""
    everybody = await people(quiet)
    prints: dict[str, list[Print]] = {kind: [] for kind in everybody}
    for failures in range(1, 10):
        for number, (kind, (address, password)) in enumerate(everybody.items()):
            tries = 1 if failures < 5 else 2
            prints[kind] += [
                await try_password(quiet, address, password, ip=network(number)) for _ in range(tries)
            ]
        quiet.clock.turn(timedelta(seconds=prints["unknown"][-1].body.get("retry_after", 0)))
    waits = [one.body.get("retry_after") for one in same_for_all(prints)]
    assert waits == [None] * 5 + [60, None, 300, None, 900, None, 3600, None, 3600]


async def test_the_failure_that_disables_tells_nothing(database_url: str, tmp_path: Path) -> None:
    """The failure after which a password is disabled costs the same where there is none to disable."""
    async with still(tmp_path, database=database_url, disable_after=5, known_browser_limit=5) as kit:
        everybody = await people(kit)
        prints: dict[str, list[Print]] = {kind: [] for kind in everybody}
        for _ in range(6):
            for number, (kind, (address, password)) in enumerate(everybody.items()):
                prints[kind].append(await try_password(kit, address, password, ip=network(number)))
        assert [one.letters for one in same_for_all(prints)] == [0] * 4 + [2, 0]


async def test_registering_tells_nothing(quiet: Kit) -> None:
    """Four registrations each, past the address's limit: equal for all kinds, and each of the three brings one mail."""
    everybody = await people(quiet)
    before = {address: mails_to(quiet, address) for address, _ in everybody.values()}
    prints: dict[str, list[Print]] = {kind: [] for kind in everybody}
    for _ in range(4):
        for number, (kind, (address, _)) in enumerate(everybody.items()):
            body = {"email": address, "password": NEW, "name": "Somebody"}
            prints[kind].append(await ask(quiet, "/auth/register", body, ip=network(number)))
    seen = same_for_all(prints)
    assert [one.status for one in seen] == [202] * 3 + [429]
    assert [one.hashes for one in seen] == [1] * 3 + [0]
    assert [one.body.get("retry_after") for one in seen] == [None] * 3 + [3600]
    await drained(quiet)
    assert {address: mails_to(quiet, address) - before[address] for address in before} == dict.fromkeys(
        before, 3
    )


async def test_registering_with_a_passkey_tells_nothing(quiet: Kit) -> None:
    """Four registrations each without a password, past the address's limit: equal for all kinds, one mail for each."""
    everybody = await people(quiet)
    before = {address: mails_to(quiet, address) for address, _ in everybody.values()}
    prints: dict[str, list[Print]] = {kind: [] for kind in everybody}
    for _ in range(4):
        for number, (kind, (address, _)) in enumerate(everybody.items()):
            browser, body = quiet.browser(network(number)), {"email": address, "factor": "passkey"}
            asked = await ask_as(browser, quiet, "/auth/register/options", body)
            made = SoftwareAuthenticator().create(asked.body["options"], quiet.base_url)
            prints[kind] += [
                as_for_anybody(asked),
                await ask_as(browser, quiet, "/auth/register", {**body, "response": made}),
            ]
    seen = same_for_all(prints)
    assert [one.status for one in seen] == [200, 202] * 3 + [200, 429]
    assert {one.hashes for one in seen} == {0}
    await drained(quiet)
    assert {address: mails_to(quiet, address) - before[address] for address in before} == dict.fromkeys(
        before, 3
    )


def as_for_anybody(asked: Print) -> Print:
    """Options without what is drawn anew each time, and without the address that was typed, with its length."""
    told = asked.body["options"].items()
    headers = tuple(one for one in asked.headers if one[0] != "content-length")
    return replace(
        asked,
        body={name: value for name, value in told if name not in ("challenge", "user")},
        headers=headers,
    )


async def test_a_language_tells_nothing(quiet: Kit) -> None:
    """Whoever asks in another language than the owner's is answered the same, at the same cost, known or unknown."""
    german = {"accept_language": "de-AT,de;q=0.9"}
    await ask(quiet, "/auth/register", {"email": "anna@example.com", "password": PASSWORD}, **german)
    token, _ = await quiet.verification("anna@example.com")
    await ask(quiet, "/auth/email/verify", {"token": token}, **german)
    quiet.clock.turn(timedelta(hours=2))
    prints: dict[str, list[Print]] = {"anna@example.com": [], "unknown": []}
    for number, address in enumerate(prints):
        for language in ("en", "de", ""):
            body = {"email": address.replace("unknown", "nobody@example.com"), "password": NEW}
            network_ = network(number)
            prints[address] += [
                await ask(quiet, "/auth/register", body, ip=network_, accept_language=language),
                await try_password(quiet, body["email"], ip=network_, accept_language=language),
            ]
    seen = same_for_all(prints)
    assert [one.letters for one in seen] == [2, 0] * 3


async def test_signing_in_after_registering_tells_nothing(quiet: Kit) -> None:
    """Who registers an address and tries that password learns that it waits for a proof, whoever has the address."""
    everybody = await people(quiet)
    prints: dict[str, list[Print]] = {}
    for number, (kind, (address, _)) in enumerate(everybody.items()):
        await ask(quiet, "/auth/register", {"email": address, "password": NEW}, ip=network(number))
        tried = [await try_password(quiet, address, typed, ip=network(number)) for typed in (NEW, WRONG, NEW)]
        prints[kind] = tried
    seen = same_for_all(prints)
    assert [one.body["code"] for one in seen] == [
        "email_not_verified",
        "invalid_credentials",
        "email_not_verified",
    ]


async def test_registering_again_changes_nothing_for_the_owner(quiet: Kit) -> None:
    """A stranger's registration of a proven address leaves its password as it was, and gives the stranger nothing."""
    await quiet.signed_up("anna@example.com")
    await ask(quiet, "/auth/register", {"email": "anna@example.com", "password": NEW})
    stranger = await try_password(quiet, "anna@example.com", NEW)
    assert (stranger.status, stranger.cookies) == (403, ())
    assert (await try_password(quiet, "anna@example.com", PASSWORD)).status == 200


async def test_resending_tells_nothing(quiet: Kit) -> None:
    """Four resends each, past the address's limit: equal for all kinds; who waits gets a mail, the rest decoys."""
    everybody = await people(quiet)
    before = {kind: mails_to(quiet, address) for kind, (address, _) in everybody.items()}
    prints: dict[str, list[Print]] = {kind: [] for kind in everybody}
    for _ in range(4):
        for number, (kind, (address, _)) in enumerate(everybody.items()):
            prints[kind].append(
                await ask(quiet, "/auth/email/resend", {"email": address}, ip=network(number))
            )
    seen = same_for_all(prints)
    assert [one.status for one in seen] == [202] * 3 + [429]
    assert [one.letters for one in seen] == [3] * 3 + [0]
    await drained(quiet)
    after = {kind: mails_to(quiet, address) - before[kind] for kind, (address, _) in everybody.items()}
    assert after == dict.fromkeys(everybody, 0) | {"unverified": 3}


async def test_forgetting_a_password_tells_nothing(quiet: Kit) -> None:
    """Five requests each, past the address's limit: equal for all kinds, locked or not; owners get three mails each."""
    everybody = await people(quiet)
    await quiet.signed_up("locked@example.com")
    for _ in range(5):
        await try_password(quiet, "locked@example.com", ip="203.0.113.200")
    everybody["locked"] = ("locked@example.com", WRONG)
    quiet.clock.turn(timedelta(seconds=30))
    assert (await try_password(quiet, "locked@example.com", PASSWORD, ip="203.0.113.201")).status == 429
    await drained(quiet)
    before = {kind: mails_to(quiet, address) for kind, (address, _) in everybody.items()}
    prints: dict[str, list[Print]] = {kind: [] for kind in everybody}
    for _ in range(5):
        for number, (kind, (address, _)) in enumerate(everybody.items()):
            prints[kind].append(
                await ask(quiet, "/auth/password/forgot", {"email": address}, ip=network(number))
            )
    seen = same_for_all(prints)
    assert [one.status for one in seen] == [202] * 5
    assert {str(one.body) for one in seen} == {"{'status': 'reset_sent'}"}
    assert [one.letters for one in seen] == [1] * 5
    assert [one.hashes for one in seen] == [0] * 5
    assert all(one.cookies == () for one in seen)
    await drained(quiet)
    after = {kind: mails_to(quiet, address) - before[kind] for kind, (address, _) in everybody.items()}
    barred = {"unknown", "disabled", "disabled, right password"}
    assert after == {kind: 0 if kind in barred else 3 for kind in everybody}
    # Asking has locked nobody and unlocked nobody.
    assert (await try_password(quiet, "locked@example.com", PASSWORD, ip="203.0.113.202")).status == 429
    assert (await try_password(quiet, "verified@example.com", PASSWORD, ip="203.0.113.203")).status == 200


async def test_forgetting_tells_nothing_of_accounts_before_their_proof(
    database_url: str, tmp_path: Path
) -> None:
    """Where accounts may be used before their proof, an unproven account and an unknown address look alike, too."""
    async with still(tmp_path, database=database_url, verify_email="optional") as kit:
        for address in ("unproven@example.com", "proven@example.com"):
            registration = {"email": address, "password": PASSWORD}
            (await kit.browser().post("/auth/register", json=registration)).raise_for_status()
        token, _ = await kit.verification("proven@example.com")
        (await kit.browser().post("/auth/email/verify", json={"token": token})).raise_for_status()
        kit.clock.turn(timedelta(hours=2))
        await drained(kit)
        prints: dict[str, list[Print]] = {kind: [] for kind in ("unknown", "unproven", "proven")}
        for _ in range(4):
            for number, kind in enumerate(prints):
                body = {"email": f"{kind}@example.com"}
                prints[kind].append(await ask(kit, "/auth/password/forgot", body, ip=network(number)))
        assert [one.status for one in same_for_all(prints)] == [202] * 4
        await drained(kit)
        assert [mails_to(kit, f"{kind}@example.com") for kind in prints] == [0, 4, 4]


async def test_the_page_tells_nothing(quiet: Kit) -> None:
    """Asking through the page leads everybody to the same page; only the address that was typed differs on it."""
    seen: set[tuple[int, str, tuple[str, ...]]] = set()
    for kind, (address, _) in (await people(quiet)).items():
        who = visitor(quiet, ip=network(len(seen)))
        page = await who.submit(await who.open("/recover"), "/recover", email=address)
        assert address in page.text, kind
        headers = sorted(name for name in page.answer.headers if name != "content-length")
        words = re.sub(r"nonce=\"[^\"]*\"", "", page.answer.text.replace(address, ""))
        seen.add((page.status, words, tuple(headers)))
    assert len(seen) == 1


async def test_a_wrong_code_tells_nothing(quiet: Kit) -> None:
    """Six wrong codes each, past the code's five tries: equal for all kinds."""
    everybody = await people(quiet)
    await ask(quiet, "/auth/email/resend", {"email": "unverified@example.com"})
    _, code = await quiet.verification("unverified@example.com", count=2)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    prints: dict[str, list[Print]] = {kind: [] for kind in everybody}
    for _ in range(6):
        for number, (kind, (address, _)) in enumerate(everybody.items()):
            body = {"email": address, "code": wrong}
            prints[kind].append(await ask(quiet, "/auth/email/verify", body, ip=network(number)))
    seen = same_for_all(prints)
    assert {one.body["code"] for one in seen} == {"verification_invalid"}
    right = await ask(quiet, "/auth/email/verify", {"email": "unverified@example.com", "code": code})
    assert right.status == 400, "five wrong tries have spent the code"


async def test_a_locked_answer_never_depends_on_the_keys(quiet: Kit) -> None:
    """Ten locked addresses, known and unknown, get one and the same answer, whatever order their counters have."""
    await quiet.signed_up("anna@example.com")
    addresses = ["anna@example.com", *(f"nobody{n}@example.com" for n in range(9))]
    locked = []
    for number, address in enumerate(addresses):
        for _ in range(5):
            await try_password(quiet, address, ip=network(number))
        locked.append(await try_password(quiet, address, ip=network(number)))
    assert locked == [locked[0]] * len(locked)
    assert locked[0].header("ratelimit") is None


async def test_asking_for_a_link_tells_nothing(quiet: Kit) -> None:
    """Six requests each, past the address's limit: equal for all kinds; only accounts that may sign in get mails."""
    everybody = await people(quiet)
    before = {kind: mails_to(quiet, address) for kind, (address, _) in everybody.items()}
    prints: dict[str, list[Print]] = {kind: [] for kind in everybody}
    for _ in range(6):
        for number, (kind, (address, _)) in enumerate(everybody.items()):
            prints[kind].append(await ask(quiet, "/auth/magic-link", {"email": address}, ip=network(number)))
    seen = same_for_all(prints)
    assert [one.status for one in seen] == [202] * 5 + [429]
    assert [one.letters for one in seen] == [1] * 5 + [0]
    await drained(quiet)
    got = {kind for kind, (address, _) in everybody.items() if mails_to(quiet, address) > before[kind]}
    assert got == everybody.keys() - {"unknown", "unverified", "disabled", "disabled, right password"}


async def wishers(kit: Kit, everybody: dict[str, tuple[str, str]]) -> dict[str, Browser]:
    """For each kind of address somebody else who is signed in, each from a network of his own."""
    found = {}
    for number, kind in enumerate(everybody):
        ip = f"203.0.113.{number + 1}"
        found[kind] = await kit.signed_in(f"wisher{number}@example.com", ip=ip)
    return found


def unnamed(print_: Print) -> Print:
    """The same without the id, which only says what whoever asks has typed himself.

    And without the statements of a refusal by a limit: which of two counters is looked at first is chance, by key.
    """
    body = {name: value for name, value in print_.body.items() if name != "id"}
    return replace(print_, body=body, statements=() if print_.status == 429 else print_.statements)


async def test_adding_an_address_tells_nothing(quiet: Kit) -> None:
    """Wishing for it, asking again, a limit, wrong codes, the list: equal for all kinds; the right one gets a mail."""
    everybody = await people(quiet)
    wishes = await wishers(quiet, everybody)
    await drained(quiet)
    before = {kind: mails_to(quiet, address) for kind, (address, _) in everybody.items()}
    prints: dict[str, list[Print]] = {kind: [] for kind in everybody}
    lists: dict[str, list[tuple[bool, bool]]] = {}
    for kind, (address, _) in everybody.items():
        browser = wishes[kind]
        for _ in range(2):
            prints[kind].append(await ask_as(browser, quiet, "/auth/emails", {"email": address}))
        email_id = prints[kind][0].body["id"]
        for _ in range(2):
            prints[kind].append(await ask_as(browser, quiet, f"/auth/emails/{email_id}/resend", {}))
        code = await _a_wrong_code(quiet, address)
        for _ in range(6):
            prints[kind].append(
                await ask_as(browser, quiet, f"/auth/emails/{email_id}/verify", {"code": code})
            )
        listed = (await browser.get("/auth/emails")).json()["emails"]
        lists[kind] = [(item["primary"], item["verified"]) for item in listed]
    seen = same_for_all({kind: [unnamed(one) for one in found] for kind, found in prints.items()})
    assert [one.status for one in seen] == [202] * 3 + [429] + [400] * 6
    assert [one.letters for one in seen] == [2] * 3 + [0] * 7
    assert set(map(tuple, lists.values())) == {((True, True), (False, False))}
    await drained(quiet)
    after = {kind: mails_to(quiet, address) - before[kind] for kind, (address, _) in everybody.items()}
    assert after == dict.fromkeys(everybody, 3), (
        "the link to a free address, a word to the owner of a taken one"
    )


async def _a_wrong_code(kit: Kit, address: str) -> str:
    """Six digits that are not in any mail to the address."""
    await drained(kit)
    said = "".join(mail["text"] for mail in kit.mailbox.messages() if mail["to"] == address)
    return next(digits for digits in ("000000", "111111", "222222", "333333") if digits not in said)
