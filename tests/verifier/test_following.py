"""A verifier and an issuer that is there: keys, rotation, and what the feed tells."""

import asyncio
from datetime import timedelta

import pytest

from ostiary.kernel.errors import Misuse
from ostiary.kernel.world import World
from ostiary.protocols.jose.keys import SigningKey
from ostiary.protocols.jose.refusals import Why
from ostiary.verifier import Verifier
from tests.verifier.hands import Hands
from tests.verifier.issuer import AUDIENCE, PAGE_SIZE, Issuer, serving
from tests.verifier.waiting import refused, soon_refused, until


def new_key(kid: str) -> SigningKey:
    """A key of this name."""
    return SigningKey.generate(World(), kid=kid)


async def test_the_first_use_is_enough(issuer: Issuer, verifier: Verifier) -> None:
    """Nobody needs to start it: the first token waits for keys and feed, and is judged."""
    assert verifier.state.name == "starting"
    token = await verifier.verify(issuer.token())
    assert (token.subject, token.session_id, token.version) == ("account-1", "session-1", 1)
    assert (verifier.state.name, verifier.state.trouble, verifier.state.keys) == ("following", "", 1)
    assert issuer.polls[0] == {"wait": ["0"]}
    await until(lambda: len(issuer.polls) > 1)
    assert issuer.polls[1] == {"after": ["0"], "wait": ["25"]}


async def test_many_at_once_ask_once(issuer: Issuer, verifier: Verifier) -> None:
    """A crowd at the start costs one fetch of the keys and one poll."""
    tokens = await asyncio.gather(*(verifier.verify(issuer.token(jti=str(number))) for number in range(200)))
    assert len({token.id for token in tokens}) == 200
    assert issuer.key_fetches == 1


async def test_a_session_that_ended_is_over(issuer: Issuer, verifier: Verifier) -> None:
    """The feed ends exactly the tokens of that session."""
    mine, other = issuer.token(), issuer.token(sid="session-2")
    await verifier.verify(mine)
    await verifier.verify(other)
    issuer.end_session("session-1")
    assert (await soon_refused(verifier, mine)).code.name == "session_ended"
    assert (await verifier.verify(other)).session_id == "session-2"
    assert await refused(verifier, issuer.token(jti="made later")) is Why.SESSION_ENDED


async def test_a_changed_subject_makes_its_tokens_stale(issuer: Issuer, verifier: Verifier) -> None:
    """The old token is refused so that its holder refreshes, and the new one is good."""
    old = issuer.token(ver=1)
    await verifier.verify(old)
    issuer.outdate(version=2)
    assert (await soon_refused(verifier, old)).code.name == "token_stale"
    assert (await verifier.verify(issuer.token(ver=2))).version == 2


async def test_a_retired_key_is_refused_although_it_is_still_published(
    issuer: Issuer, verifier: Verifier
) -> None:
    """The feed is faster than any cache of keys."""
    leaked, other = issuer.signs, new_key("two")
    issuer.published = [leaked, other]
    token = issuer.token(leaked)
    await verifier.verify(token)
    issuer.signs = other
    issuer.retire(leaked.kid)
    assert (await soon_refused(verifier, token)).why is Why.KEY_RETIRED
    assert await refused(verifier, issuer.token(leaked, jti="forged")) is Why.KEY_RETIRED
    await verifier.verify(issuer.token(other))


async def test_a_new_key_is_found_when_a_token_names_it(
    issuer: Issuer, verifier: Verifier, hands: Hands
) -> None:
    """Rotation needs no waiting and no restart: one look, however many tokens come at once."""
    old = issuer.token()
    await verifier.verify(old)
    issuer.signs = new_key("two")
    issuer.published = [*issuer.published, issuer.signs]
    hands.turn(timedelta(seconds=11))
    fresh = [issuer.token(jti=str(number)) for number in range(50)]
    assert len(await asyncio.gather(*map(verifier.verify, fresh))) == 50
    assert issuer.key_fetches == 2
    await verifier.verify(old)  # what the old key signed is good until it expires


async def test_keys_are_looked_at_again_in_the_background(
    issuer: Issuer, verifier: Verifier, hands: Hands
) -> None:
    """Every five minutes, while tokens are judged by those that are known; a withdrawn key is forgotten then."""
    old = issuer.token()
    await verifier.verify(old)
    issuer.signs = new_key("two")
    issuer.published = [issuer.signs]
    hands.turn(timedelta(minutes=5))
    issuer.end_session("session-2")
    await until(lambda: verifier._knowledge.keys.find("two") is not None and verifier.state.revoked == 1)
    assert await refused(verifier, old) is Why.KEY_UNKNOWN


async def test_a_page_signed_with_a_new_key_is_read(issuer: Issuer, verifier: Verifier, hands: Hands) -> None:
    """The feed may be the first to use a key; the keys are looked at again for it."""
    token = issuer.token()
    await verifier.verify(token)
    issuer.pages_by = new_key("two")
    issuer.published = [*issuer.published, issuer.pages_by]
    hands.turn(timedelta(seconds=11))
    issuer.end_session()
    assert (await soon_refused(verifier, token)).why is Why.SESSION_ENDED


async def test_everything_that_happened_before_is_told_first(hands: Hands) -> None:
    """A verifier that starts late has read every page before it accepts anything."""
    async with serving() as issuer:
        for number in range(3 * PAGE_SIZE + 7):
            issuer.end_session(f"session-{number}")
        async with Verifier(issuer.url, AUDIENCE, world=World(clock=hands)) as verifier:
            assert verifier.state.revoked == 3 * PAGE_SIZE + 7
            assert (
                await refused(verifier, issuer.token(sid=f"session-{3 * PAGE_SIZE + 6}")) is Why.SESSION_ENDED
            )
            await verifier.verify(issuer.token(sid="another"))
        assert [poll["wait"] for poll in issuer.polls[:4]] == [["0"]] * 4


async def test_an_issuer_that_answers_at_once_is_not_asked_all_the_time(
    issuer: Issuer, verifier: Verifier
) -> None:
    """Where no poll can be held open, it is asked again after a pause, and news still comes."""
    issuer.waits = False
    token = issuer.token()
    await verifier.verify(token)
    await asyncio.sleep(1.2)
    assert len(issuer.polls) <= 5
    issuer.end_session()
    assert (await soon_refused(verifier, token)).why is Why.SESSION_ENDED


async def test_a_cursor_that_is_forgotten_begins_again(issuer: Issuer, verifier: Verifier) -> None:
    """An issuer restored from a backup knows no cursor of later; nothing that was told is forgotten for it."""
    token = issuer.token()
    for number in range(5):
        issuer.end_session(f"session-{number + 10}")
    await verifier.verify(token)
    gone = issuer.token(sid="session-10")
    issuer.entries.clear()
    issuer.end_session("session-1")
    assert (await soon_refused(verifier, token)).why is Why.SESSION_ENDED
    assert {"wait": ["0"]} in issuer.polls[1:]
    assert await refused(verifier, gone) is Why.SESSION_ENDED
    await until(lambda: verifier.state.name == "following")


@pytest.mark.parametrize("ahead", [-30, 30])
async def test_clocks_may_be_half_a_minute_apart(ahead: float, hands: Hands) -> None:
    """In both directions, for tokens and for the feed."""
    async with (
        serving(Issuer(ahead=ahead)) as issuer,
        Verifier(issuer.url, AUDIENCE, world=World(clock=hands)) as verifier,
    ):
        await verifier.verify(issuer.token())
        assert verifier.state.name == "following"


@pytest.mark.parametrize("ahead", [-600, 600])
async def test_clocks_ten_minutes_apart_are_trouble(ahead: float, hands: Hands) -> None:
    """Whose clock is wrong follows no feed and accepts no token; a good clock would have."""
    async with (
        serving(Issuer(ahead=ahead)) as issuer,
        Verifier(issuer.url, AUDIENCE, world=World(clock=hands)) as verifier,
    ):
        assert (verifier.state.name, "feed" in verifier.state.trouble) == ("unavailable", True)
        with pytest.raises(Exception, match="yet"):
            await verifier.verify(issuer.token())


@pytest.mark.parametrize(("ahead", "why"), [(600, Why.ISSUED_IN_FUTURE), (-1000, Why.EXPIRED)])
async def test_a_token_from_a_wrong_clock_is_refused(
    issuer: Issuer, verifier: Verifier, ahead: float, why: Why
) -> None:
    """While the issuer's feed is right, a token of ten minutes from now, or long ago, is not."""
    now = issuer.now() + int(ahead)
    await verifier.verify(issuer.token())
    assert await refused(verifier, issuer.token(iat=now, exp=now + 900)) is why


async def test_a_closed_verifier_starts_again_when_asked(issuer: Issuer, verifier: Verifier) -> None:
    """Closing is no trap: it ends the following, not the object."""
    await verifier.verify(issuer.token())
    await verifier.close()
    polls = len(issuer.polls)
    await verifier.verify(issuer.token(jti="two"))
    await until(lambda: len(issuer.polls) > polls)


def test_one_verifier_follows_in_one_loop() -> None:
    """A loop that is over is replaced; two at once are an error that says what to do."""
    first = asyncio.new_event_loop()
    second = asyncio.new_event_loop()
    verifier = Verifier("http://127.0.0.1:9", AUDIENCE)
    try:
        first.run_until_complete(verifier.start())
        with pytest.raises(Misuse, match="each loop"):
            second.run_until_complete(verifier.start())
        first.run_until_complete(verifier.close())
        second.run_until_complete(verifier.start())
        second.run_until_complete(verifier.close())
    finally:
        first.close()
        second.close()


async def test_a_loop_that_is_over_is_left_behind() -> None:
    """Who runs a program twice in one process needs no new verifier, closed or not."""

    def program(verifier: Verifier, issuer: Issuer) -> str:
        async def run() -> str:
            return (await verifier.verify(issuer.token())).subject

        return asyncio.run(run())

    async with serving() as issuer:
        verifier = Verifier(issuer.url, AUDIENCE)
        for _ in range(2):
            assert await asyncio.to_thread(program, verifier, issuer) == "account-1"


async def test_the_token_is_for_somebody_and_from_somebody(issuer: Issuer, verifier: Verifier) -> None:
    """Another audience, another issuer, another kind: refused, whoever signed."""
    assert await refused(verifier, issuer.token(aud="https://other.example")) is Why.AUDIENCE
    assert await refused(verifier, issuer.token(iss="https://evil.example")) is Why.ISSUER
    assert await refused(verifier, issuer.token(new_key(issuer.signs.kid))) is Why.SIGNATURE
    assert await refused(verifier, issuer.token(client_id=None)) is Why.CLAIM_MISSING
    assert issuer.key_fetches == 1
