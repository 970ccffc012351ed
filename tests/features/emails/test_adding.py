"""Adding an address: a wish that counts once its account has proven it, and that concerns nobody else until then."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ostiary.core.accounts import accounts
from ostiary.core.accounts.address import Address
from ostiary.core.accounts.emails.emails import Email
from ostiary.features.emails.flow import judge_removal, judge_wish
from ostiary.features.emails.manifest import RIB
from ostiary.features.emails.store import Wish
from ostiary.kernel.errors import Refused
from ostiary.kernel.origin import Origin
from ostiary.kernel.world import World
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import account_id, dump, journalled, login
from tests.features.emails.stage import ANNA, BERT, NEW, THIRD, add, added, listed, prove, short, subjects

UNTOLD = ("throttle", "journal", "outbox")


async def test_an_address_is_added_by_its_link(kit: Kit) -> None:
    """The mail goes to the new address; once proven it signs in, the old one is told what to do if it was not you."""
    anna = await kit.signed_in(ANNA)
    await add(anna, "Anna@New.Example")
    assert await short(anna) == [(ANNA, True, True), ("Anna@new.example", False, False)]
    token, _ = await kit.verification("Anna@new.example")
    assert (await login(kit.browser(), NEW)).status_code == 401
    assert (await prove(anna, token)).status_code == 200
    assert await short(anna) == [(ANNA, True, True), ("Anna@new.example", False, True)]
    for address in (ANNA, NEW, "ANNA@NEW.EXAMPLE"):
        signed_in = await login(kit.browser(), address)
        assert signed_in.json()["user"]["email"] == ANNA, "one account, whichever address names it"
    mail = await kit.mail_to(ANNA, count=2)
    assert mail["subject"] == "An address was added to your ostiary account"
    for words in ("Anna@new.example", "Was it not you?", f"{kit.base_url}/account/emails"):
        assert words in mail["text"]
    assert subjects(kit, "Anna@new.example") == ["Confirm your new e-mail address for ostiary"]
    events = await journalled(kit)
    assert events.index("email_requested") < events.index("email_added")
    assert (await prove(anna, token)).json()["code"] == "email_proof_invalid", "once"


async def test_the_link_is_ours_whatever_the_request_says(kit: Kit) -> None:
    """Links come from the configured base URL (L08)."""
    anna = await kit.signed_in(ANNA)
    forged = {"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "http"}
    answer = await anna.post("/auth/emails", json={"email": NEW}, headers=forged)
    assert answer.status_code == 202
    mail = await kit.mail_to(NEW)
    assert mail["links"][0].startswith(f"{kit.base_url}/account/emails/confirm?token=")
    assert "evil" not in mail["text"] + mail["html"]


async def test_a_front_end_of_its_own(tmp_path: Path) -> None:
    """`new_email_url` is where the link leads instead."""
    async with running(tmp_path, new_email_url="https://app.example.com/confirm") as kit:
        anna = await kit.signed_in(ANNA)
        await add(anna, NEW)
        mail = await kit.mail_to(NEW)
        assert mail["links"][0].startswith("https://app.example.com/confirm?token=")


async def test_an_address_is_added_by_its_code(kit: Kit) -> None:
    """Spaces and dashes do not matter; the code is good once, and for its own address."""
    anna = await kit.signed_in(ANNA)
    new, third = await add(anna, NEW), await add(anna, THIRD)
    (_, code), (_, other) = await kit.verification(NEW), await kit.verification(THIRD)
    if code != other:
        refused = await anna.post(f"/auth/emails/{third}/verify", json={"code": code})
        assert (refused.status_code, refused.json()["code"]) == (400, "email_proof_invalid")
    typed = {"code": f" {code[:3]}-{code[3:]} "}
    assert (await anna.post(f"/auth/emails/{new}/verify", json=typed)).status_code == 200
    assert await short(anna) == [(ANNA, True, True), (NEW, False, True), (THIRD, False, False)]
    assert (await anna.post(f"/auth/emails/{new}/verify", json=typed)).status_code == 404


async def test_a_code_has_five_tries(kit: Kit) -> None:
    """Then the right one is worth nothing; what can be no code costs no try."""
    anna = await kit.signed_in(ANNA)
    new = await add(anna, NEW)
    _, code = await kit.verification(NEW)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    for typed in ("12345", "1234567", "abcdef", "١٢٣٤٥٦"):
        assert (await anna.post(f"/auth/emails/{new}/verify", json={"code": typed})).status_code == 400
    for _ in range(5):
        refused = await anna.post(f"/auth/emails/{new}/verify", json={"code": wrong})
        assert refused.json()["code"] == "email_proof_invalid"
    assert (await anna.post(f"/auth/emails/{new}/verify", json={"code": code})).status_code == 400
    assert await short(anna) == [(ANNA, True, True), (NEW, False, False)]
    token, _ = await kit.verification(NEW)
    assert (await prove(anna, token)).status_code == 200, "the link of the same mail is another secret"


async def test_a_link_is_for_the_account_that_asked(kit: Kit) -> None:
    """Whoever is signed in to another account, or to none, gets nowhere with it, and spends nothing (L10)."""
    mallory = await kit.signed_in("mallory@example.com")
    bert = await kit.signed_in(BERT)
    await add(mallory, NEW)
    token, code = await kit.verification(NEW)
    before = await dump(kit, without=UNTOLD)
    refused = await prove(bert, token)
    assert (refused.status_code, refused.json()["code"]) == (400, "email_proof_invalid")
    assert (await prove(kit.browser(), token)).status_code == 401
    public = await kit.browser().post("/auth/email/verify", json={"token": token})
    assert public.json()["code"] == "verification_invalid", "another purpose's link (L06)"
    public = await kit.browser().post("/auth/email/verify", json={"email": NEW, "code": code})
    assert public.json()["code"] == "verification_invalid"
    assert await dump(kit, without=UNTOLD) == before
    assert (await prove(mallory, token)).status_code == 200


async def test_a_registrations_link_adds_nothing(kit: Kit) -> None:
    """And the other way round: what proves a registration proves no further address (L06)."""
    anna = await kit.signed_in(ANNA)
    new = await add(anna, NEW)
    await kit.mail_to(NEW)
    await kit.browser().post("/auth/register", json={"email": NEW, "password": PASSWORD})
    token, code = await kit.verification(NEW, count=2)
    assert (await prove(anna, token)).status_code == 400
    assert (await anna.post(f"/auth/emails/{new}/verify", json={"code": code})).status_code == 400


@pytest.mark.parametrize("way", ["add", "primary", "remove"])
async def test_a_fresh_sign_in_is_needed(kit: Kit, way: str) -> None:
    """A session left open for longer than `fresh_for` changes no address; it can still prove one, and ask again."""
    anna = await kit.signed_in(ANNA)
    second = await added(kit, anna, NEW)
    third = await add(anna, THIRD)
    kit.clock.turn(timedelta(minutes=16))
    swept = ("session", "outbox", "once")  # by the worker, now that time has passed
    before = await dump(kit, without=swept)
    match way:
        case "add":
            answer = await anna.post("/auth/emails", json={"email": "more@example.com"})
        case "primary":
            answer = await anna.post(f"/auth/emails/{second}/primary")
        case _:
            answer = await anna.delete(f"/auth/emails/{second}")
    assert (answer.status_code, answer.json()["code"]) == (401, "fresh_authentication_required")
    assert answer.json()["max_age"] == 900
    assert await dump(kit, without=swept) == before
    assert (await anna.post(f"/auth/emails/{third}/resend")).status_code == 202
    token, _ = await kit.verification(THIRD, count=2)
    assert (await prove(anna, token)).status_code == 200


async def test_an_unproven_address_stands_in_nobodys_way(kit: Kit) -> None:
    """Its true owner registers it meanwhile, and the wish comes to nothing; the owner's account is untouched."""
    mallory = await kit.signed_in("mallory@example.com")
    await add(mallory, BERT)
    token, _ = await kit.verification(BERT)
    await kit.browser().post("/auth/register", json={"email": BERT, "password": PASSWORD, "name": "Bert"})
    own, _ = await kit.verification(BERT, count=2)
    assert (await kit.browser().post("/auth/email/verify", json={"token": own})).status_code == 200
    before = await dump(kit, without=UNTOLD)
    assert (await prove(mallory, token)).json()["code"] == "email_proof_invalid"
    assert await dump(kit, without=UNTOLD) == before
    assert (await login(kit.browser(), BERT)).json()["user"]["name"] == "Bert"


async def test_the_first_proof_decides(kit: Kit) -> None:
    """The wish is proven first: a registration that waits for the same address is void, with its password (L10)."""
    anna = await kit.signed_in(ANNA)
    other = "another harbour seventeen lanterns"
    await kit.browser().post("/auth/register", json={"email": NEW, "password": other})
    registration, _ = await kit.verification(NEW)
    await add(anna, NEW)
    token, _ = await kit.verification(NEW, count=2)
    assert (await prove(anna, token)).status_code == 200
    refused = await kit.browser().post("/auth/email/verify", json={"token": registration})
    assert refused.json()["code"] == "verification_invalid"
    assert (await login(kit.browser(), NEW, other)).status_code in {401, 403}
    assert (await login(kit.browser(), NEW)).json()["user"]["email"] == ANNA


async def test_of_many_accounts_one_gets_the_address(kit: Kit) -> None:
    """All prove it at the same moment, each by a link that is good: one wins, the others are refused."""
    people = [
        await kit.signed_in(f"p{number}@example.com", ip=f"192.0.2.{number + 20}") for number in range(3)
    ]
    tokens = []
    for number, person in enumerate(people):
        await add(person, NEW)
        tokens.append((await kit.verification(NEW, count=number + 1))[0])
    answers = await asyncio.gather(
        *(prove(person, token) for person, token in zip(people, tokens, strict=True))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400]
    (winner,) = [number for number, answer in enumerate(answers) if answer.status_code == 200]
    assert (await login(kit.browser(), NEW)).json()["user"]["email"] == f"p{winner}@example.com"
    rows = (await dump(kit))["identifier"]
    assert len([row for row in rows if NEW in row]) == 1


async def test_a_code_in_many_hands_counts_once(kit: Kit) -> None:
    """The same right code sent five times at once adds the address once."""
    anna = await kit.signed_in(ANNA)
    new = await add(anna, NEW)
    _, code = await kit.verification(NEW)
    body = {"code": code}
    answers = await asyncio.gather(*(anna.post(f"/auth/emails/{new}/verify", json=body) for _ in range(5)))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.status_code for answer in answers} <= {200, 400, 404}
    assert (await journalled(kit)).count("email_added") == 1


async def test_a_new_mail_replaces_the_old_one(kit: Kit) -> None:
    """After asking again, by `resend` or by the same wish, only the newest link and code work."""
    anna = await kit.signed_in(ANNA)
    new = await add(anna, NEW)
    old, _ = await kit.verification(NEW)
    assert (await anna.post(f"/auth/emails/{new}/resend")).json() == {
        "status": "verification_sent",
        "id": new,
    }
    await kit.mail_to(NEW, count=2)
    assert await add(anna, NEW) == new
    newest, _ = await kit.verification(NEW, count=3)
    assert (await prove(anna, old)).status_code == 400
    assert (await prove(anna, newest)).status_code == 200
    assert (await anna.post(f"/auth/emails/{new}/resend")).status_code == 404


async def test_a_wish_expires(kit: Kit) -> None:
    """After a day it is gone: from the list, from what it stands in the way of, and from the table."""
    anna = await kit.signed_in(ANNA)
    new = await add(anna, NEW)
    token, _ = await kit.verification(NEW)
    kit.clock.turn(timedelta(hours=24))
    anna = await kit.sign_in(ANNA)
    assert await short(anna) == [(ANNA, True, True)]
    assert (await prove(anna, token)).status_code == 400
    assert (await anna.post(f"/auth/emails/{new}/resend")).status_code == 404
    (chore,) = RIB.chores(kit.engine.core)
    await chore.run(kit.engine.core.database, kit.engine.core.world)  # unless the worker has been here
    assert (await dump(kit))["email_wish"] == []
    await add(anna, THIRD)
    assert await chore.run(kit.engine.core.database, kit.engine.core.world) == 0, "it waits still"


async def test_what_is_refused_for_ones_own_reasons(kit: Kit) -> None:
    """No address, one's own address, and more than there is room for; each says so, and changes nothing."""
    anna = await kit.signed_in(ANNA)
    for wrong in (
        "nonsense",
        "a@b@c.example",
        "@example.com",
        "x" * 300 + "@example.com",
        '"a b"@example.com',
    ):
        assert (await anna.post("/auth/emails", json={"email": wrong})).json()["code"] == "invalid_request"
    own = await anna.post("/auth/emails", json={"email": ANNA.upper()})
    assert (own.status_code, own.json()["code"]) == (409, "email_already_yours")
    for number in range(4):
        await add(anna, f"more{number}@example.com")
    before = await dump(kit, without=("throttle", "outbox"))
    full = await anna.post("/auth/emails", json={"email": "fifth@example.com"})
    assert (full.status_code, full.json()["code"]) == (409, "email_limit_reached")
    assert await dump(kit, without=("throttle", "outbox")) == before
    assert await add(anna, "more3@example.com"), "one that waits already takes no more room"


async def test_mails_are_limited(tmp_path: Path, database_url: str) -> None:
    """Three an hour to one address whoever asks, so many per account, so many per network."""
    async with running(tmp_path, database=database_url, new_email_mails_per_account="4/h") as kit:
        anna, bert = await kit.signed_in(ANNA), await kit.signed_in(BERT)
        for _ in range(2):
            await add(anna, NEW)
        await add(bert, NEW)
        limited = await bert.post("/auth/emails", json={"email": NEW})
        assert (limited.status_code, limited.json()["code"]) == (429, "too_many_attempts")
        assert int(limited.headers["retry-after"]) > 0
        assert "ratelimit" not in limited.headers or "email-address" not in limited.headers["ratelimit"]
        for number in range(2):
            await add(anna, f"more{number}@example.com")
        assert (await anna.post("/auth/emails", json={"email": "another@example.com"})).status_code == 429
        kit.clock.turn(timedelta(hours=1))
        bert = await kit.sign_in(BERT)
        await add(bert, NEW)


async def test_the_limit_holds_for_requests_at_once(kit: Kit) -> None:
    """Of six wishes for one address sent together three are mailed, and three are refused."""
    anna, bert = await kit.signed_in(ANNA), await kit.signed_in(BERT)
    body = {"email": NEW}
    answers = await asyncio.gather(*(who.post("/auth/emails", json=body) for who in (anna, bert) * 3))
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [429] * 3
    await kit.mail_to(NEW, count=3)
    assert (await journalled(kit)).count("email_requested") == 3


async def test_wrong_proofs_are_limited_per_account(tmp_path: Path, database_url: str) -> None:
    """However often a new code is asked for: after so many wrong ones in a day none is looked at any more (S-A13)."""
    given: dict[str, Any] = {"new_email_failures_per_account": "6/d", "new_email_mails_per_address": "100/h"}
    async with running(tmp_path, database=database_url, **given) as kit:
        anna = await kit.signed_in(ANNA)
        new = await add(anna, NEW)
        statuses = []
        for round_ in range(2):
            _, code = await kit.verification(NEW, count=round_ + 1)
            wrong = {"code": f"{(int(code) + 1) % 1_000_000:06}"}
            statuses += [
                (await anna.post(f"/auth/emails/{new}/verify", json=wrong)).status_code for _ in range(4)
            ]
            await anna.post(f"/auth/emails/{new}/resend")
        assert statuses == [400] * 6 + [429] * 2


async def test_somebody_elses_address(kit: Kit) -> None:
    """The answer is the usual one, the owner is told in the spelling that was proven, and no secret leaves."""
    await kit.signed_up("Bert@example.com")
    anna = await kit.signed_in(ANNA)
    new = await add(anna, BERT)
    mail = await kit.mail_to("Bert@example.com", count=2)
    assert mail["subject"] == "Somebody tried to add your address at ostiary"
    assert "token=" not in mail["text"]
    assert ANNA not in mail["text"] + mail["html"]
    assert await short(anna) == [(ANNA, True, True), (BERT, False, False)]
    for digits in ("000000", "123456", "999999"):
        refused = await anna.post(f"/auth/emails/{new}/verify", json={"code": digits})
        assert refused.json()["code"] == "email_proof_invalid"
    assert subjects(kit, BERT) == []


async def test_where_nobody_must_prove_anything(tmp_path: Path, database_url: str) -> None:
    """An unproven address belongs to nobody: an account that proves it has it, and the other account loses it."""
    async with running(tmp_path, database=database_url, verify_email="optional") as kit:
        squatter = kit.browser()
        await squatter.post("/auth/register", json={"email": NEW, "password": "squatting harbour eleven"})
        await login(squatter, NEW, "squatting harbour eleven")
        assert await short(squatter) == [(NEW, True, False)]
        anna = await kit.signed_in(ANNA)
        await add(anna, NEW)
        token, _ = await kit.verification(NEW, count=2)
        assert (await prove(anna, token)).status_code == 200
        assert await short(squatter) == []
        assert (await login(kit.browser(), NEW, "squatting harbour eleven")).status_code in {401, 403}
        assert (await login(kit.browser(), NEW)).json()["user"]["email"] == ANNA
        assert "email_lost" in await journalled(kit)


async def test_ones_own_unproven_address(tmp_path: Path, database_url: str) -> None:
    """Where an account may be used before its address is proven, its owner proves it from the list, too."""
    async with running(tmp_path, database=database_url, verify_email="optional") as kit:
        anna = kit.browser()
        await anna.post("/auth/register", json={"email": ANNA, "password": PASSWORD})
        await login(anna, ANNA)
        (mine,) = await listed(anna)
        assert (mine["verified"], mine["expires_at"]) == (False, None)
        assert (await anna.post(f"/auth/emails/{mine['id']}/resend")).status_code == 202
        token, _ = await kit.verification(ANNA, count=2)
        assert (await prove(anna, token)).status_code == 200
        assert await short(anna) == [(ANNA, True, True)]
        assert (await journalled(kit))[-1] == "email_verified"


async def test_an_account_that_is_disabled_meanwhile(kit: Kit) -> None:
    """What it had begun comes to nothing (L03)."""
    anna = await kit.signed_in(ANNA)
    await add(anna, NEW)
    token, _ = await kit.verification(NEW)
    owner = await account_id(kit, ANNA)

    async with kit.engine.core.runner.flow(Origin()) as flow:
        await flow.change(
            lambda change: accounts.set_status(change, owner, accounts.Status.DISABLED, "a test")
        )
    assert (await prove(anna, token)).status_code == 401
    assert await accounts.find(kit.engine.core.database, NEW) is None


def an_email(normal: str, *, is_primary: bool = False, is_verified: bool = True) -> Email:
    now = World().now()
    return Email(normal, Address(normal, normal), is_primary, now if is_verified else None, now)


@pytest.mark.parametrize(
    ("wanted", "owned", "wishes", "refused"),
    [
        ("b", ["a"], [], None),
        ("a", ["a"], [], "email_already_yours"),
        ("c", ["a"], ["b"], None),
        ("d", ["a"], ["b", "c"], "email_limit_reached"),
        ("c", ["a"], ["b", "c"], None),
        ("d", ["a", "b", "c"], [], "email_limit_reached"),
        ("d", ["a", "b"], ["b"], None),
    ],
)
def test_which_wishes_are_granted(
    wanted: str, owned: list[str], wishes: list[str], refused: str | None
) -> None:
    """By what the account has and wishes for alone; three is the limit here."""
    arguments = (
        Address(wanted, wanted),
        [an_email(normal) for normal in owned],
        [Wish(normal, normal, 0, 1) for normal in wishes],
        3,
    )
    if refused is None:
        judge_wish(*arguments)
        return
    with pytest.raises(Refused, match=refused):
        judge_wish(*arguments)


def test_which_addresses_may_go() -> None:
    """Not the primary one, not the last proven one."""
    primary, other = an_email("a", is_primary=True), an_email("b")
    unproven = an_email("c", is_primary=True, is_verified=False)
    judge_removal(other, [primary, other])
    for email, owned in ((primary, [primary, other]), (other, [unproven, other]), (other, [other])):
        with pytest.raises(Refused, match="email_needed"):
            judge_removal(email, owned)
