"""An issuer that is down, slow, broken or not who it says: the verifier says so, and never guesses."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

import pytest

from ostiary.kernel.errors import Unavailable
from ostiary.kernel.world import World
from ostiary.protocols.jose import base64url, jwk
from ostiary.protocols.jose.keys import SigningKey
from ostiary.protocols.jose.refusals import TokenRefused, Why
from ostiary.protocols.revocations import Entry, Page
from ostiary.verifier import Verifier, calls, follower
from tests.support.certificates import Authority
from tests.verifier.hands import Hands
from tests.verifier.issuer import AUDIENCE, Answer, Issuer, as_set, raw, serving
from tests.verifier.waiting import refused, soon_refused, until

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


async def test_an_issuer_that_is_not_there_yet_may_come_later(hands: Hands) -> None:
    """Start order does not matter: `Unavailable` until the issuer is up, and then everything works."""
    async with serving() as issuer:
        await issuer.down()
        async with Verifier(issuer.url, AUDIENCE, world=World(clock=hands)) as verifier:
            assert (verifier.state.name, verifier.state.trouble) == ("unavailable", "keys: no connection")
            with pytest.raises(Unavailable):
                await verifier.verify(issuer.token())
            await issuer.up()
            hands.turn(MINUTE)
            await until(lambda: verifier.state.name == "following")
            await verifier.verify(issuer.token())


async def test_an_issuer_that_goes_down_is_noticed_tolerated_and_then_missed(
    issuer: Issuer, verifier: Verifier, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    """The story of an outage: a line in the log, minutes of grace, refusal of everything, recovery (L31)."""
    caplog.set_level(logging.INFO, "ostiary.verifier")
    token = issuer.token()
    await verifier.verify(token)
    await issuer.down()
    await until(lambda: verifier.state.name == "stale")
    assert "revocation feed" in verifier.state.trouble
    await until(lambda: any("cannot be followed" in line and "300 s" in line for line in caplog.messages))
    hands.turn(timedelta(minutes=4))
    await verifier.verify(token)
    await verifier.verify(issuer.token(jti="new"))
    hands.turn(MINUTE)
    assert verifier.state.name == "unavailable"
    for text in (token, issuer.token(jti="newer")):
        with pytest.raises(Unavailable, match="for too long"):
            await verifier.verify(text)
    hands.turn(MINUTE)
    await until(lambda: any("every token is refused" in line for line in caplog.messages))
    issuer.end_session("session-2")
    await issuer.up()
    hands.turn(MINUTE)
    await until(lambda: verifier.state.name == "following")
    await verifier.verify(token)
    assert await refused(verifier, issuer.token(sid="session-2")) is Why.SESSION_ENDED
    assert "can be followed again" in caplog.messages[-1]
    assert len(caplog.messages) <= 4, "an outage does not flood the log"


async def test_what_ended_during_an_outage_is_refused_after_it(
    issuer: Issuer, verifier: Verifier, hands: Hands
) -> None:
    """The cursor goes on where it was, so nothing is missed."""
    token = issuer.token()
    await verifier.verify(token)
    await issuer.down()
    await until(lambda: verifier.state.name == "stale")
    issuer.end_session()
    await verifier.verify(token)
    await issuer.up()
    hands.turn(MINUTE)
    assert (await soon_refused(verifier, token)).why is Why.SESSION_ENDED


KEYS: dict[str, tuple[Answer, str]] = {
    "an error": (Answer(500, b"{}"), "500"),
    "nothing there": (Answer(404, b"{}"), "404"),
    "a redirect": (Answer(302, headers=(("Location", "/oauth2/other"),)), "302"),
    "a lasting redirect": (Answer(308, headers=(("Location", "/oauth2/other"),)), "308"),
    "a page": (Answer(body=b"<html></html>", kind="text/html"), "JSON"),
    "nothing": (Answer(), "JSON"),
    "no keys": (Answer(body=b'{"keys":[]}'), "no key"),
    "keys for something else": (Answer(body=as_set({"kty": "RSA", "use": "enc", "kid": "x"})), "no key"),
    "a shared secret": (Answer(body=as_set({"kty": "oct", "k": "c2VjcmV0", "kid": "x"})), "private"),
    "a private key": (Answer(body=as_set({"kty": "EC", "d": "c2VjcmV0", "kid": "x"})), "private"),
    "too much": (Answer(body=b" " * (jwk.MOST_BYTES + 1)), "longer than 65536"),
    "far too much": (
        Answer(raw=raw("200 OK", "Transfer-Encoding: chunked", body=b"ffffff\r\n" + b" " * 400_000), hangs=True),
        "longer than 65536",
    ),
    "compressed": (Answer(body=b"x", headers=(("Content-Encoding", "gzip"),)), "coded"),
    "no HTTP": (Answer(raw=b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), "cannot be read"),
    "half an answer": (Answer(raw=raw("200 OK", "Content-Length: 500", body=b'{"keys":')), "cannot be read"),
    "an endless head": (Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000, hangs=True), "cannot be read"),
    "a closed door": (Answer(raw=b""), "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
async def test_keys_that_are_none_are_not_believed(issuer: Issuer, verifier: Verifier, name: str) -> None:
    """Whatever stands where the keys should be, the answer is `Unavailable` with a reason in the state."""
    issuer.keys_answer, words = KEYS[name]
    with pytest.raises(Unavailable):
        await verifier.verify(issuer.token())
    assert verifier.state.name == "unavailable"
    assert words in verifier.state.trouble
    assert "c2VjcmV0" not in verifier.state.trouble
    assert issuer.polls == [], "without keys no page could be read"


@pytest.mark.parametrize("name", KEYS)
async def test_keys_that_become_none_leave_the_old_ones(
    issuer: Issuer, verifier: Verifier, hands: Hands, name: str
) -> None:
    """Known keys go on working while the address of the keys is broken, and the state says what is wrong."""
    await verifier.verify(issuer.token())
    issuer.keys_answer, words = KEYS[name]
    hands.turn(timedelta(seconds=11))
    with pytest.raises(Unavailable):
        await verifier.verify(issuer.token(SigningKey.generate(World(), kid="unknown")))
    await verifier.verify(issuer.token(jti="two"))
    assert (verifier.state.name, words in verifier.state.trouble) == ("stale", True)


async def test_a_look_that_failed_is_made_good_soon(issuer: Issuer, verifier: Verifier, hands: Hands) -> None:
    """One failure on the way of a token with an unknown key does not stay in the state for minutes."""
    await verifier.verify(issuer.token())
    issuer.keys_answer = Answer(503)
    hands.turn(timedelta(seconds=11))
    with pytest.raises(Unavailable):
        await verifier.verify(issuer.token(SigningKey.generate(World(), kid="unknown")))
    issuer.keys_answer = None
    hands.turn(timedelta(seconds=30))
    await until(lambda: verifier.state.name == "following")
    assert (
        await refused(verifier, issuer.token(SigningKey.generate(World(), kid="unknown"))) is Why.KEY_UNKNOWN
    )


async def test_a_slow_answer_is_given_up(
    issuer: Issuer, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither silence nor a byte now and then holds a call open."""
    monkeypatch.setattr(follower, "_CALL", timedelta(seconds=0.3))
    for answer in (
        Answer(body=b"{}" * 500, slowly=0.01),
        Answer(body=b"{}", hangs=True),
        Answer(raw=b"HTTP", hangs=True),
    ):
        issuer.keys_answer = answer
        with pytest.raises(Unavailable):
            await verifier.verify(issuer.token())
        assert "no answer within 0.3 s" in verifier.state.trouble
        await verifier.close()


def pages(issuer: Issuer) -> dict[str, tuple[Answer, str]]:
    """Pages that are none."""
    page = Page((Entry("key", "two", issuer.now() + 900),), "1", more=False)
    forger = SigningKey.generate(World(), kid=issuer.signs.kid)
    stranger = SigningKey.generate(World(), kid="stranger")

    def signed(key: SigningKey, name: str = "", ahead: float = 0) -> Answer:
        other = Issuer(signs=key, name=name or issuer.url, ahead=ahead)
        return Answer(body=other.page(page).encode(), kind="application/jwt")

    return {
        "signed by a forger": (signed(forger), "signature"),
        "signed by a stranger": (signed(stranger), "key_unknown"),
        "of another issuer": (signed(issuer.signs, "https://evil.example"), "issuer"),
        "of yesterday": (signed(issuer.signs, ahead=-86_400), "expired"),
        "of tomorrow": (signed(issuer.signs, ahead=86_400), "issued_in_future"),
        "an access token": (Answer(body=issuer.token().encode(), kind="application/jwt"), "type"),
        "as JSON": (Answer(body=b'{"entries":[]}'), "not application/jwt"),
        "garbage": (Answer(body=b"\xff\x00", kind="application/jwt"), "malformed"),
        "empty": (Answer(kind="application/jwt"), "malformed"),
        "an error": (Answer(503), "503"),
        "a redirect": (Answer(307, headers=(("Location", "/other"),)), "307"),
        "huge": (Answer(body=b"a" * 2_000_000, kind="application/jwt"), "longer than 1048576"),
        "unknown": (Answer(404), "404"),
    }


PAGES = tuple(pages(Issuer()))


@pytest.mark.parametrize("name", PAGES)
async def test_a_feed_that_is_none_is_not_followed(
    issuer: Issuer, verifier: Verifier, hands: Hands, name: str
) -> None:
    """At the start it means `Unavailable`; nothing of such a page counts."""
    issuer.feed_answer, words = pages(issuer)[name]
    with pytest.raises(Unavailable):
        await verifier.verify(issuer.token())
    assert (verifier.state.name, verifier.state.revoked) == ("unavailable", 0)
    assert words in verifier.state.trouble
    issuer.feed_answer = None
    hands.turn(MINUTE)
    await until(lambda: verifier.state.name == "following")
    await verifier.verify(issuer.token())


@pytest.mark.parametrize("name", PAGES)
async def test_a_feed_that_becomes_none_makes_knowledge_stale(
    issuer: Issuer, verifier: Verifier, hands: Hands, name: str
) -> None:
    """Later it means that the state says so, grace, and then `Unavailable`; the false page renews nothing."""
    token = issuer.token()
    await verifier.verify(token)
    issuer.feed_answer, words = pages(issuer)[name]
    issuer.tell()
    await until(lambda: verifier.state.name == "stale")
    assert words in verifier.state.trouble
    await verifier.verify(token)
    assert verifier.state.revoked == 0
    hands.turn(timedelta(minutes=5) + SECOND)
    polls = len(issuer.polls)
    await until(lambda: len(issuer.polls) > polls)
    with pytest.raises(Unavailable):
        await verifier.verify(token)
    assert verifier.state.name == "unavailable"


async def test_a_feed_that_promises_more_and_stands_still_is_trouble(
    issuer: Issuer, verifier: Verifier
) -> None:
    """A server in a circle does not keep the verifier in one, and does not count as having told all."""
    issuer.feed_answer = Answer(body=issuer.page(Page((), "1", more=True)).encode(), kind="application/jwt")
    with pytest.raises(Unavailable):
        await verifier.verify(issuer.token())
    assert "does not go on" in verifier.state.trouble
    assert len(issuer.polls) <= 3


async def test_a_silent_feed_is_noticed(
    issuer: Issuer, verifier: Verifier, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that stays open and says nothing is no feed: its poll is given up, and grace runs meanwhile."""
    token = issuer.token()
    await verifier.verify(token)
    await until(lambda: len(issuer.polls) == 2)
    monkeypatch.setattr(follower, "_CALL", timedelta(seconds=0.3))
    monkeypatch.setattr(follower, "LONGEST_WAIT", timedelta(0))
    issuer.feed_answer = Answer(body=b"x", kind="application/jwt", hangs=True)
    issuer.tell()
    await until(lambda: "no answer within" in verifier.state.trouble)
    hands.turn(timedelta(minutes=6))
    with pytest.raises(Unavailable):
        await verifier.verify(token)


async def test_ten_thousand_unknown_keys_cost_one_look(issuer: Issuer, verifier: Verifier) -> None:
    """Whoever sends made-up tokens decides nothing about how often the issuer is asked (L13)."""
    await verifier.verify(issuer.token())
    assert issuer.key_fetches == 1
    forged = [issuer.token(SigningKey.generate(World(), kid=f"kid-{number}")) for number in range(100)]
    outcomes: list[Why] = []

    async def attack(at: int) -> None:
        for number in range(100):
            with pytest.raises(TokenRefused) as caught:
                await verifier.verify(forged[(at + number) % 100])
            outcomes.append(caught.value.why)

    await asyncio.gather(*(attack(number) for number in range(100)))
    assert len(outcomes) == 10_000
    assert set(outcomes) == {Why.KEY_UNKNOWN}
    assert issuer.key_fetches <= 3, "one look for every ten seconds that this took"
    await verifier.verify(issuer.token(jti="honest"))


async def test_a_kid_that_was_missing_is_not_looked_for_again_at_once(
    issuer: Issuer, verifier: Verifier, hands: Hands
) -> None:
    """A client with a wrong token, asking over and over, costs a look in half a minute, not one in ten seconds."""
    await verifier.verify(issuer.token())
    token = issuer.token(SigningKey.generate(World(), kid="wrong"))
    hands.turn(timedelta(seconds=11))
    looks = []
    for _ in range(6):
        assert await refused(verifier, token) is Why.KEY_UNKNOWN
        looks.append(issuer.key_fetches)
        hands.turn(timedelta(seconds=11))
    assert looks == [2, 2, 2, 3, 3, 3]


async def test_misses_are_remembered_within_bounds(issuer: Issuer, verifier: Verifier) -> None:
    """The memory of what is missing cannot be made to grow."""
    await verifier.verify(issuer.token())
    for number in range(follower._MOST_MISSES + 50):
        with pytest.raises(TokenRefused):
            await verifier.verify(_with_kid(issuer, f"kid-{number}"))
    assert verifier._follower is not None
    assert 0 < len(verifier._follower._misses) <= follower._MOST_MISSES


def _with_kid(issuer: Issuer, kid: str) -> str:
    head = base64url.encode(b'{"alg":"ES256","kid":"' + kid.encode() + b'","typ":"at+jwt"}')
    return f"{head}.{issuer.token().partition('.')[2]}"


async def test_a_waiting_request_that_is_cancelled_hurts_nobody(issuer: Issuer, verifier: Verifier) -> None:
    """A client that leaves while the keys are fetched does not end the fetch that others wait for."""
    issuer.keys_answer = Answer(body=b"{}", slowly=0.05)
    first = asyncio.create_task(verifier.verify(issuer.token()))
    await until(lambda: issuer.key_fetches == 1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    others = [asyncio.create_task(verifier.verify(issuer.token(jti=str(number)))) for number in range(5)]
    for outcome in await asyncio.gather(*others, return_exceptions=True):
        assert isinstance(outcome, Unavailable)
    assert issuer.key_fetches == 1


async def test_a_defect_is_logged_and_ends_nothing(
    issuer: Issuer,
    verifier: Verifier,
    hands: Hands,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Even an error that nobody foresaw is a failed try: the follower lives, the log has the traceback."""

    async def broken(*_: object, **__: object) -> bytes:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(calls.Calls, "get", broken)
        with pytest.raises(Unavailable):
            await verifier.verify(issuer.token())
        assert "ZeroDivisionError" in verifier.state.trouble
        assert any(record.exc_info for record in caplog.records)
    hands.turn(MINUTE)
    await until(lambda: verifier.state.name == "following")
    await verifier.verify(issuer.token())


async def test_no_proxy_of_the_surroundings_is_asked(
    issuer: Issuer, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment does not decide where the keys come from."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    await verifier.verify(issuer.token())


async def test_tls_is_checked(hands: Hands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An issuer whose certificate nobody vouches for, or is for another name, is not believed; a good one is."""
    authority = Authority(tmp_path)
    for trusts, host, is_believed in (
        (False, "127.0.0.1", False), (True, "id.example.com", False), (True, "127.0.0.1", True),
    ):  # fmt: skip
        if trusts:
            monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
        async with (
            serving(Issuer(tls=authority.server(host))) as issuer,
            Verifier(issuer.url, AUDIENCE, world=World(clock=hands)) as verifier,
        ):
            assert verifier.state.trouble == ("" if is_believed else "keys: no connection")
