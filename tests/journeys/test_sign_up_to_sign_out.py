"""The journey that everything hangs on, over HTTP, on both databases."""

from ostiary.testing import Kit
from ostiary.testing.kit import PASSWORD

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"


async def test_from_registering_to_signing_out(kit: Kit) -> None:
    """Register, verify, sign in twice, list, end the other, which is refused on its next request, sign out."""
    first = await kit.signed_up("anna@example.com", name="Anna")
    credentials = {"identifier": "Anna@Example.COM", "password": PASSWORD}
    answer = await first.post("/auth/login", json=credentials)
    assert answer.status_code == 200
    assert answer.json()["status"] == "complete"
    assert answer.json()["user"]["name"] == "Anna"
    second = kit.browser("198.51.100.7", headers={"user-agent": FIREFOX})
    assert (await second.post("/auth/login", json=credentials | {"remember": True})).status_code == 200

    listed = (await first.get("/auth/sessions")).json()["sessions"]
    assert [item["current"] for item in listed] == [True, False]
    assert listed[1] | {"id": "", "created_at": "", "last_seen_at": "", "expires_at": ""} == {
        "id": "", "current": False, "device": "Linux", "browser": "Firefox 131", "ip": "198.51.100.7", "place": None,
        "created_at": "", "last_seen_at": "", "expires_at": "",
    }  # fmt: skip

    assert (await second.get("/auth/session")).status_code == 200
    assert (await first.delete(f"/auth/sessions/{listed[1]['id']}")).status_code == 204
    refused = await second.get("/auth/session")
    assert (refused.status_code, refused.json()["code"]) == (401, "session_ended")
    name = kit.engine.app.edge.cookies.session
    assert name not in second.cookies, "the dead cookie is cleared in the 401"

    assert (await first.post("/auth/logout")).status_code == 204
    assert name not in first.cookies
    assert (await first.get("/auth/session")).json()["code"] == "not_authenticated"
