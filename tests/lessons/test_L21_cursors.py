"""L21: page cursors were forged, up to SQL injection. Here they are sealed, and bound to the very list."""

import base64
import pickle
from datetime import timedelta

import pytest

from ostiary.core.cursor import open_cursor, seal_cursor
from ostiary.kernel.errors import Refused
from ostiary.testing import Kit
from ostiary.testing.kit import Browser
from tests.core.signin.stage import dump, login

ANNA, BERT = "anna@example.com", "bert@example.com"
FORGED = [
    "nonsense", "' OR 1=1 --", "zzzzzzzzzzzzzzzzzzzzzzzzzzz", "01arz3ndektsv4rrffq69g5fav", "0", "-1", "a.b",
    base64.urlsafe_b64encode(b'["account activity", "z"]').decode().rstrip("="),
    base64.urlsafe_b64encode(pickle.dumps(("z",))).decode().rstrip("="),
    "A" * 400, "é", "%00x",
]  # fmt: skip


async def second_page(kit: Kit, browser: Browser) -> str:
    """A cursor that is good."""
    cursor: str = (await browser.get("/auth/account/activity?limit=1")).json()["next"]
    return cursor


@pytest.mark.parametrize("cursor", FORGED)
async def test_a_forged_cursor_is_refused(kit: Kit, cursor: str) -> None:
    """What we did not seal is 400 or 422, before anything is asked of the database; nothing changes."""
    anna = await kit.signed_in(ANNA)
    before = await dump(kit)
    answer = await anna.get("/auth/account/activity", params={"cursor": cursor})
    assert answer.json()["code"] in ("cursor_invalid", "malformed_request", "invalid_request")
    assert answer.status_code in (400, 422)
    assert await dump(kit) == before


async def test_an_altered_cursor_is_refused(kit: Kit) -> None:
    """Every single character counts."""
    anna = await kit.signed_in(ANNA)
    good = await second_page(kit, anna)
    assert (await anna.get("/auth/account/activity", params={"cursor": good})).status_code == 200
    for place in range(0, len(good), 5):
        altered = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
        answer = await anna.get("/auth/account/activity", params={"cursor": altered})
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid"), place


async def test_another_accounts_cursor_opens_nothing(kit: Kit) -> None:
    """A cursor works for whose list it was made, for nobody else; and nobody reads an id in it."""
    anna, bert = await kit.signed_in(ANNA), await kit.signed_in(BERT)
    cursor = await second_page(kit, anna)
    answer = await bert.get("/auth/account/activity", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")
    ids = [row[0] for row in (await dump(kit))["journal"]]
    decoded = base64.urlsafe_b64decode(cursor.partition(".")[2] + "==")
    assert not [one for one in ids if one in cursor or one.encode() in decoded]


async def test_a_cursor_belongs_to_one_query(kit: Kit) -> None:
    """The list's name and every argument are part of it, and no two lists of arguments are the same (L22)."""
    ring = kit.engine.core.ring
    cursor = seal_cursor(ring, "here", "list", "ab", "c")
    assert open_cursor(ring, cursor, "list", "ab", "c") == "here"
    for query in (("list", "a", "bc"), ("list", "abc"), ("list", "ab", "c", ""), ("other", "ab", "c"), ()):
        with pytest.raises(Refused, match="cursor_invalid"):
            open_cursor(ring, cursor, *query)


async def test_what_happens_meanwhile_moves_nothing(kit: Kit) -> None:
    """A cursor goes on where it stood, however much has been written since."""
    anna = await kit.signed_in(ANNA)
    cursor = await second_page(kit, anna)
    expected = (await anna.get("/auth/account/activity", params={"cursor": cursor})).json()["activity"]
    for _ in range(3):
        await login(kit.browser(), ANNA, "wrong")
    kit.clock.turn(timedelta(minutes=5))
    again = (await anna.get("/auth/account/activity", params={"cursor": cursor})).json()["activity"]
    assert again == expected
