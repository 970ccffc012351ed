"""What a verifier knows and how it judges by it, without any issuer: tables of facts and times."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from ostiary.kernel.errors import Misuse, Unavailable
from ostiary.protocols import access_token
from ostiary.protocols.jose import jwt
from ostiary.protocols.jose.jwk import KeySet
from ostiary.protocols.jose.keys import SigningKey
from ostiary.protocols.jose.refusals import TokenRefused, Why
from ostiary.protocols.revocations import Entry, session_mark, subject_mark
from ostiary.verifier import Verifier
from ostiary.verifier.knowledge import Knowledge, Moment
from tests.protocols.jose.corpus import AUDIENCE, CLAIMS, EDWARDS, ISSUER, KEY, NOW, STRANGER, T

FULL: dict[str, Any] = CLAIMS | {"sid": "session-1", "ver": 3}
TOLERATED = timedelta(minutes=5)
KEYS_FRESH = timedelta(minutes=5)
KEYS = KeySet([KEY.verifying, EDWARDS.verifying])


def at(seconds: float = 0) -> Moment:
    """That much after everything was learnt."""
    return Moment(NOW + timedelta(seconds=seconds), 1000.0 + seconds)


def informed(remembered: int = 100, *entries: Entry) -> Knowledge:
    """Somebody who knows keys and feed."""
    knowledge = Knowledge(access_token.expected(ISSUER, AUDIENCE), TOLERATED, remembered)
    knowledge.learn_keys(KEYS, at(), KEYS_FRESH)
    knowledge.learn_revoked(entries, at(), is_all=True)
    return knowledge


def token(key: SigningKey = KEY, **claims: Any) -> str:
    """A good token; None leaves a claim out."""
    return jwt.write(key, {k: v for k, v in (FULL | claims).items() if v is not None}, "at+jwt")


def refusal(knowledge: Knowledge, text: str, seconds: float = 0) -> Why:
    """Why it is refused."""
    with pytest.raises(TokenRefused) as caught:
        knowledge.judge(text, at(seconds))
    return caught.value.why


def test_who_knows_nothing_accepts_nothing() -> None:
    """Neither keys alone nor the feed alone are enough, and half a feed is none."""
    knowledge = Knowledge(access_token.expected(ISSUER, AUDIENCE), TOLERATED, 100)
    text = token()
    with pytest.raises(Unavailable, match="yet"):
        knowledge.judge(text, at())
    knowledge.learn_keys(KEYS, at(), KEYS_FRESH)
    with pytest.raises(Unavailable, match="yet"):
        knowledge.judge(text, at())
    knowledge.learn_revoked((), at(), is_all=False)
    with pytest.raises(Unavailable, match="yet"):
        knowledge.judge(text, at())
    knowledge.learn_revoked((), at(), is_all=True)
    assert knowledge.judge(text, at()).subject == "account-1"
    only_feed = Knowledge(access_token.expected(ISSUER, AUDIENCE), TOLERATED, 100)
    only_feed.learn_revoked((), at(), is_all=True)
    with pytest.raises(Unavailable, match="yet"):
        only_feed.judge(text, at())


@pytest.mark.parametrize(
    ("seconds", "is_current"), [(0, True), (299, True), (300, True), (300.1, False), (900, False)]
)
@pytest.mark.parametrize("is_known", [True, False])
def test_knowledge_of_the_feed_grows_old(seconds: float, is_current: bool, is_known: bool) -> None:
    """Up to the tolerated staleness a token is accepted, beyond it nobody's is, also not one seen before (L31)."""
    knowledge = informed()
    text = token()
    if is_known:
        knowledge.judge(text, at())
    knowledge.learn_keys(KEYS, at(seconds), KEYS_FRESH)
    assert knowledge.stale_for(at(seconds)) == timedelta(seconds=seconds)
    assert knowledge.is_current(at(seconds)) is is_current
    if is_current:
        knowledge.judge(text, at(seconds))
    else:
        with pytest.raises(Unavailable, match="revoked"):
            knowledge.judge(text, at(seconds))
        knowledge.learn_revoked((), at(seconds), is_all=False)
        with pytest.raises(Unavailable, match="revoked"):
            knowledge.judge(text, at(seconds))
        if seconds < 900:
            knowledge.learn_revoked((), at(seconds), is_all=True)
            knowledge.judge(text, at(seconds))


def test_knowledge_of_the_keys_grows_old() -> None:
    """A feed that is followed does not replace the keys: what was withdrawn there must not count for ever."""
    knowledge = informed()
    knowledge.learn_revoked((), at(601), is_all=True)
    knowledge.judge(token(), at(600))
    with pytest.raises(Unavailable, match="keys"):
        knowledge.judge(token(), at(601))


def test_a_wall_clock_that_jumps_makes_nothing_younger() -> None:
    """Staleness is counted on the steady clock."""
    knowledge = informed()
    with pytest.raises(Unavailable):
        knowledge.judge(token(), Moment(NOW - timedelta(hours=1), 1000.0 + 301))


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (Entry("session", session_mark("session-1"), T + 900), Why.SESSION_ENDED),
        (Entry("session", session_mark("session-2"), T + 900), None),
        (Entry("session", "session-1", T + 900), None),
        (Entry("key", "current", T + 900), Why.KEY_RETIRED),
        (Entry("key", "edwards", T + 900), None),
        (Entry("subject", subject_mark("account-1"), T + 900, 4), Why.STALE),
        (Entry("subject", subject_mark("account-1"), T + 900, 3), None),
        (Entry("subject", subject_mark("account-1"), T + 900, 2), None),
        (Entry("subject", subject_mark("account-2"), T + 900, 4), None),
        (Entry("subject", session_mark("account-1"), T + 900, 4), None),
    ],
)
def test_an_entry_refuses_exactly_its_tokens(entry: Entry, why: Why | None, is_known: bool) -> None:
    """New tokens and those seen before alike, and nobody else's."""
    knowledge = informed()
    text = token()
    if is_known:
        knowledge.judge(text, at())
    knowledge.learn_revoked((entry,), at(1), is_all=True)
    if why is None:
        knowledge.judge(text, at(1))
    else:
        assert refusal(knowledge, text, 1) is why
        assert refusal(knowledge, text, 1) is why


@pytest.mark.parametrize(("why", "code"), [
    (Why.SESSION_ENDED, "session_ended"), (Why.STALE, "token_stale"), (Why.KEY_RETIRED, "token_invalid"),
])  # fmt: skip
def test_callers_learn_what_to_do(why: Why, code: str) -> None:
    """Sign in again, refresh, or give up: three public codes."""
    assert TokenRefused(why).code.name == code
    assert TokenRefused(why).code.status == 401


def test_a_token_without_a_version_is_stale_when_its_subject_changed() -> None:
    """What cannot be compared is refused; without an entry it is fine."""
    knowledge = informed()
    text = token(ver=None)
    knowledge.judge(text, at())
    knowledge.learn_revoked((Entry("subject", subject_mark("account-1"), T + 900, 0),), at(), is_all=True)
    assert refusal(knowledge, text) is Why.STALE


def test_a_version_of_later_is_compared_and_no_time_is() -> None:
    """Two changes within one second are told apart, and a token issued a moment before a change is refused."""
    knowledge = informed(100, Entry("subject", subject_mark("account-1"), T + 900, 5))
    assert refusal(knowledge, token(ver=4, iat=T)) is Why.STALE
    knowledge.judge(token(ver=5, iat=T), at())


def test_pages_overlap_and_come_in_any_order() -> None:
    """The highest version and the latest end win, whatever comes last."""
    new = Entry("subject", subject_mark("account-1"), T + 900, 9)
    old = Entry("subject", subject_mark("account-1"), T + 100, 4)
    for entries in ((new, old), (old, new), (new, new, old, old)):
        knowledge = informed(100, *entries)
        assert knowledge.revoked == 1
        knowledge.learn_revoked((), at(500), is_all=True)
        assert refusal(knowledge, token(ver=8), 500) is Why.STALE


def test_an_entry_is_forgotten_when_no_token_can_be_alive() -> None:
    """Memory is given back, but not before clocks that are apart agree that it is over."""
    knowledge = informed(100, *(Entry("session", session_mark(f"s-{n}"), T + 100 + n) for n in range(100)))
    for seconds, least, most in ((100, 100, 100), (130, 100, 100), (190, 40, 70), (300, 0, 0)):
        knowledge.learn_revoked((), at(seconds), is_all=True)
        assert least <= knowledge.revoked <= most, seconds


def test_a_retired_key_stays_retired_while_it_is_published() -> None:
    """The feed may forget it sooner than the set of keys; then somebody who stole it could make new tokens."""
    knowledge = informed(100, Entry("key", "current", T + 100))
    for seconds in (131, 500, 1000):
        knowledge.learn_keys(KEYS, at(seconds), KEYS_FRESH)
        knowledge.learn_revoked((), at(seconds), is_all=True)
        assert refusal(knowledge, token(iat=T + seconds, exp=T + seconds + 900), seconds) is Why.KEY_RETIRED
    knowledge.learn_keys(KeySet([EDWARDS.verifying]), at(1100), KEYS_FRESH)
    knowledge.learn_revoked((), at(1100), is_all=True)
    assert knowledge.revoked == 0


def test_a_token_seen_before_ends_like_any_other() -> None:
    """Being remembered adds nothing to a token's life."""
    knowledge = informed()
    text = token(exp=T + 100)
    for seconds in (0, 50, 129):
        knowledge.judge(text, at(seconds))
    assert refusal(knowledge, text, 130) is Why.EXPIRED
    assert refusal(knowledge, text, 130) is Why.EXPIRED


def test_another_text_is_another_token() -> None:
    """Nothing that differs in a single character is taken for a token seen before."""
    knowledge = informed()
    text = token()
    knowledge.judge(text, at())
    for at_ in range(0, len(text), 7):
        other = text[:at_] + ("A" if text[at_] != "A" else "B") + text[at_ + 1 :]
        with pytest.raises(TokenRefused):
            knowledge.judge(other, at())


def test_only_so_many_are_remembered() -> None:
    """The memory is bounded, and what falls out of it is simply judged again."""
    knowledge = informed(3)
    texts = [token(jti=str(number)) for number in range(10)]
    for text in texts * 2:
        knowledge.judge(text, at())
    assert len(knowledge._known) == 3
    forgetful = informed(0)
    forgetful.judge(texts[0], at())
    assert forgetful._known == {}


def test_a_refused_token_is_not_remembered() -> None:
    """An attacker's tokens take no room."""
    knowledge = informed()
    for number in range(20):
        with pytest.raises(TokenRefused):
            knowledge.judge(token(STRANGER, jti=str(number)), at())
    assert knowledge._known == {}


def test_other_keys_forget_what_the_old_ones_signed() -> None:
    """A withdrawn key, or another key under the same name, ends what was accepted before at once."""
    withdrawn, exchanged = KeySet([EDWARDS.verifying]), KeySet([STRANGER.verifying, EDWARDS.verifying])
    for keys, why in ((withdrawn, Why.KEY_UNKNOWN), (exchanged, Why.SIGNATURE)):
        knowledge = informed()
        text = token()
        knowledge.judge(text, at())
        knowledge.learn_keys(KeySet([EDWARDS.verifying, KEY.verifying]), at(), KEYS_FRESH)
        knowledge.judge(text, at())
        knowledge.learn_keys(keys, at(), KEYS_FRESH)
        assert refusal(knowledge, text) is why


@pytest.mark.parametrize("text", ["", ".", "a.b.c", "\ud800", "é", "x" * 100_000, "Bearer x", "\0"])
def test_whatever_text_comes_it_is_refused(text: str) -> None:
    """A header is whatever a client sends."""
    with pytest.raises(TokenRefused):
        informed().judge(text, at())


def test_a_retired_key_signs_no_page() -> None:
    """What the feed calls retired is not trusted for the feed itself."""
    knowledge = informed(100, Entry("key", "current", T + 900))
    assert [key.kid for key in knowledge.trusted()] == ["edwards"]


def test_many_threads_judge_while_one_learns() -> None:
    """No thread ever sees half of something: every answer is a token or a refusal that some moment justifies."""
    knowledge = informed(5)
    texts = [token(jti=str(number), sid=f"session-{number}") for number in range(20)]
    seen: list[BaseException | None] = []
    over = threading.Event()

    def judge() -> None:
        try:
            while not over.is_set():
                for text in texts:
                    try:
                        knowledge.judge(text, at(1))
                    except TokenRefused as error:
                        assert error.why in (Why.SESSION_ENDED, Why.KEY_UNKNOWN)  # noqa: PT017
        except BaseException as error:
            seen.append(error)
            raise

    threads = [threading.Thread(target=judge) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(200):
        knowledge.learn_revoked(
            (Entry("session", session_mark(f"session-{number}"), T + 900),), at(1), is_all=True
        )
        knowledge.learn_keys(KEYS if number % 2 else KeySet([EDWARDS.verifying]), at(1), KEYS_FRESH)
    over.set()
    for thread in threads:
        thread.join()
    assert seen == []
    knowledge.learn_keys(KEYS, at(1), KEYS_FRESH)
    assert all(refusal(knowledge, text, 1) is Why.SESSION_ENDED for text in texts)


@pytest.mark.parametrize("wrong", [
    {"tolerated_staleness": timedelta(seconds=59)}, {"leeway": timedelta(seconds=61)}, {"remembered": -1},
    {"audience": ""},
])  # fmt: skip
def test_a_lax_verifier_is_misuse(wrong: dict[str, Any]) -> None:
    """What would make a verifier accept too much, or never anything, is refused when it is made."""
    with pytest.raises(Misuse):
        Verifier(**({"issuer": ISSUER, "audience": AUDIENCE} | wrong))
