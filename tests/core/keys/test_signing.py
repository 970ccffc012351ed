"""Signing keys take turns: published before they sign, believed after they did, their private halves nowhere open."""

import asyncio
import os
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ostiary.core.keys.signing import rotation, store
from ostiary.core.keys.signing.keys import new_key, read_pem
from ostiary.core.keys.signing.store import CURRENT, NEXT, PREVIOUS, RETIRED, SigningRow
from ostiary.features.keys import flow
from ostiary.kernel.errors import Misuse, Refused
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World, span_micros
from ostiary.protocols.jose import jwk, jws
from ostiary.protocols.jose.refusals import InvalidKey
from ostiary.storage.database import Conflict
from ostiary.storage.statement import command
from ostiary.testing import Kit, running
from tests.core.keys.stage import changed, processes, seen
from tests.support.secrets import dump_of

DAY = timedelta(days=1)
_STEAL_STATE = command("test.second_current", sa.update(store.signing_key).values(state=CURRENT))
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def row(kid: str, state: str, since: timedelta = timedelta(), algorithm: str = "ES256") -> SigningRow:
    """A row of which only the state matters."""
    return SigningRow(kid, algorithm, state, span_micros(since), "", "", 0)


def pem(key: Any) -> Secret:
    """A private key as an operator keeps it."""
    return Secret(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


async def states(kit: Kit) -> dict[str, str]:
    """Every key with its state."""
    return {one.kid: one.state for one in await rotation.load(kit.engine.core.database)}


async def published(kit: Kit) -> list[dict[str, str]]:
    """The key set as the world sees it."""
    answer = await kit.browser().get("/oauth2/jwks")
    assert answer.headers["content-type"] == "application/jwk-set+json"
    keys: list[dict[str, str]] = answer.json()["keys"]
    return keys


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([], 2),
        ([row("a", CURRENT)], 1),
        ([row("a", CURRENT), row("b", NEXT)], 0),
        ([row("a", CURRENT), row("b", NEXT, algorithm="EdDSA")], 1),
        ([row("a", CURRENT, algorithm="EdDSA"), row("b", NEXT)], 0),
        ([row("a", PREVIOUS), row("b", RETIRED)], 2),
    ],
)
def test_how_many_are_missing(rows: list[SigningRow], count: int) -> None:
    """There is always one that signs and one that comes next, the next one of the kind that is wanted."""
    assert rotation.missing(rows, "ES256") == count


@pytest.mark.parametrize(
    ("rows", "now", "due"),
    [
        ([row("a", CURRENT), row("b", NEXT)], 29 * DAY, False),
        ([row("a", CURRENT), row("b", NEXT)], 30 * DAY, True),
        ([row("a", CURRENT, 20 * DAY), row("b", NEXT)], 30 * DAY, False),
        ([row("a", CURRENT, 30 * DAY), row("b", PREVIOUS, 30 * DAY)], 31 * DAY - timedelta(seconds=1), False),
        ([row("a", CURRENT, 30 * DAY), row("b", PREVIOUS, 30 * DAY)], 31 * DAY, True),
        ([row("a", CURRENT, 30 * DAY), row("b", RETIRED)], 31 * DAY, False),
        ([], 31 * DAY, False),
    ],
)
def test_when_something_is_due(rows: list[SigningRow], now: timedelta, due: bool) -> None:
    """The current key signs for its time, the previous one is believed for its time."""
    assert rotation.is_due(rows, 30 * DAY, DAY, span_micros(now)) is due


async def test_one_signs_and_one_is_published_ahead(kit: Kit) -> None:
    """A new database has a current and a next key; both are published, with nothing private, for five minutes."""
    core = kit.engine.core
    assert sorted((await states(kit)).values()) == [CURRENT, NEXT]
    answer = await kit.browser().get("/oauth2/jwks")
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert "set-cookie" not in answer.headers
    keys = await published(kit)
    assert [key["kid"] for key in keys] == sorted(
        await states(kit), key=lambda kid: kid != core.signing.current.kid
    )
    for key in keys:
        assert not PRIVATE & key.keys()
        assert (key["use"], key["alg"]) == ("sig", "ES256")
    assert len(jwk.read_set(answer.content)) == 2


async def test_a_rotation_breaks_nothing(kit: Kit) -> None:
    """What the key before signed is still believed; the next one was published before it took over."""
    core = kit.engine.core
    before = core.signing.current
    message = jws.write(before, b"{}", "test")
    ahead = {key["kid"] for key in await published(kit)}
    kid = await flow.rotate(core, "signing")
    assert kid in ahead
    await seen(kit, lambda: core.signing.current.kid == kid)
    assert (await states(kit))[before.kid] == PREVIOUS
    parsed = jws.parse(message)
    key = core.signing.published.find(parsed.kid)
    assert key is not None
    jws.check(parsed, key)
    assert [one["kid"] for one in await published(kit)][::2] == [kid, before.kid]


async def test_what_signs_no_more_has_no_private_key(kit: Kit) -> None:
    """Once another one has taken over, the private half is gone from the database."""
    core = kit.engine.core
    before = core.signing.current.kid
    await flow.rotate(core, "signing")
    kept = {one.kid: bool(one.sealed) for one in await rotation.load(core.database)}
    assert kept.pop(before) is False
    assert all(kept.values())


async def test_nothing_private_stands_in_the_database(kit: Kit, database_url: str) -> None:
    """Neither PEM text nor the secret number of a key is found in a dump, whatever happened to the key."""
    core = kit.engine.core
    own = ec.generate_private_key(ec.SECP256R1())
    await flow.take_in(core, pem(own))
    await flow.rotate(core, "signing")
    dump = dump_of(database_url)
    number = own.private_numbers().private_value.to_bytes(32)
    for secret in (b"PRIVATE KEY", number, number.hex().encode(), pem(own).reveal_bytes()):
        assert secret not in dump


async def test_the_schedule_rotates_once(database_url: str, tmp_path: Path) -> None:
    """Two workers on one database let the next key take over once; a day later the previous one is retired."""
    async with AsyncExitStack() as stack:
        one, other = await processes(stack, tmp_path, database_url, 2)
        first = one.engine.core.signing.current.kid
        following = next(kid for kid, state in (await states(one)).items() if state == NEXT)
        one.clock.turn(30 * DAY + timedelta(hours=1))
        for kit in (one, other):
            await seen(kit, lambda kit=kit: kit.engine.core.signing.current.kid == following)  # type: ignore[misc]
        assert sorted((await states(one)).values()) == [CURRENT, NEXT, PREVIOUS]
        one.clock.turn(DAY + timedelta(hours=1))
        await seen(other, lambda: other.engine.core.signing.published.find(first) is None)
        assert (await states(other))[first] == RETIRED
        assert len(await states(other)) == 3


async def test_many_at_once_rotate_once(kit: Kit) -> None:
    """Of many processes that find the key too old in the same moment one lets the next take over."""
    core = kit.engine.core
    kit.clock.turn(timedelta(minutes=30))  # the kit's own worker sleeps through it
    fresh = [await new_key(core.world, "ES256") for _ in range(8)]
    every = timedelta(minutes=20)

    async def follow(number: int) -> int:
        return await changed(
            kit, lambda change: rotation.follow_schedule(change, core.ring, fresh[number], every, DAY)
        )

    assert sorted(await asyncio.gather(*map(follow, range(8)))) == [0] * 7 + [1]
    assert sorted((await states(kit)).values()) == [CURRENT, NEXT, PREVIOUS]


async def test_two_current_keys_cannot_be(kit: Kit) -> None:
    """The database itself refuses a second key that signs."""
    with pytest.raises(Conflict):
        async with kit.engine.core.database.transaction() as tx:
            await tx.run(_STEAL_STATE)


@pytest.mark.parametrize("state", [CURRENT, NEXT, PREVIOUS])
async def test_a_retired_key_is_believed_no_more(kit: Kit, state: str) -> None:
    """It leaves the published set at once, everywhere; if it signed, the next one signs; it never comes back."""
    core = kit.engine.core
    await flow.rotate(core, "signing")
    kid = next(kid for kid, found in (await states(kit)).items() if found == state)
    assert await flow.retire(core, kid) == "signing"
    await seen(kit, lambda: core.signing.published.find(kid) is None)
    assert (await states(kit))[kid] == RETIRED
    assert core.signing.current.kid != kid
    assert kid not in {one["kid"] for one in await published(kit)}
    found = sorted((await states(kit)).values())
    assert found == sorted([CURRENT, NEXT, RETIRED] + ([] if state == PREVIOUS else [PREVIOUS]))
    with pytest.raises(Refused, match="not_found"):
        await flow.retire(core, kid)


async def test_an_operators_key_comes_next(kit: Kit) -> None:
    """An imported key is published as the next one, and signs in its turn; twice is once, retired is for good."""
    core = kit.engine.core
    own = pem(ec.generate_private_key(ec.SECP256R1()))
    kid, is_new = await flow.take_in(core, own)
    assert is_new
    assert (await states(kit))[kid] == NEXT
    assert await flow.take_in(core, own) == (kid, False)
    assert await flow.rotate(core, "signing") == kid
    await seen(kit, lambda: core.signing.current.kid == kid)
    jws.write(core.signing.current, b"{}", "test")
    await flow.retire(core, kid)
    with pytest.raises(Misuse, match="was retired"):
        await flow.take_in(core, own)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (rsa.generate_private_key(65537, 1024), "2048"),
        (rsa.generate_private_key(65537, 2048), "signing_algorithm"),
        (ec.generate_private_key(ec.SECP384R1()), "P-256"),
        (ed25519.Ed25519PrivateKey.generate(), "signing_algorithm"),
    ],
    ids=["short", "rsa", "p384", "ed25519"],
)
def test_what_cannot_be_imported(key: Any, says: str) -> None:
    """A weak key, or one for another algorithm than the setting's, is refused with a way to mend it."""
    with pytest.raises(Misuse, match=says):
        read_pem(pem(key), "ES256")


def test_no_key_at_all() -> None:
    """What is no PEM text is refused without repeating it."""
    with pytest.raises(InvalidKey, match="PEM") as refused:
        read_pem(Secret(b"swordfish"), "ES256")
    assert "swordfish" not in str(refused.value)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
async def test_every_algorithm(database_url: str, tmp_path: Path, algorithm: str) -> None:
    """With the setting, keys of each kind sign, are published, and survive a restart."""
    root = os.urandom(32).hex()
    for _ in range(2):
        async with running(
            tmp_path, database=database_url, root_secret=root, signing_algorithm=algorithm
        ) as kit:
            key = kit.engine.core.signing.current
            assert key.alg == algorithm
            found = kit.engine.core.signing.published.find(key.kid)
            assert found is not None
            jws.check(jws.parse(jws.write(key, b"{}", "test")), found)
            assert len(await states(kit)) == 2


async def test_another_algorithm_comes_with_the_next_key(database_url: str, tmp_path: Path) -> None:
    """After a change of the setting the current key goes on, and the next one is of the new kind."""
    root = os.urandom(32).hex()
    async with running(tmp_path, database=database_url, root_secret=root) as kit:
        before = kit.engine.core.signing.current.kid
    async with running(tmp_path, database=database_url, root_secret=root, signing_algorithm="EdDSA") as kit:
        core = kit.engine.core
        assert (core.signing.current.kid, core.signing.current.alg) == (before, "ES256")
        kid = await flow.rotate(core, "signing")
        await seen(kit, lambda: core.signing.current.kid == kid)
        assert core.signing.current.alg == "EdDSA"


async def test_a_key_from_the_settings(database_url: str, tmp_path: Path) -> None:
    """It is the first key of a new database, the next one of another; when it was retired it is not taken in again."""
    first, second = (pem(ec.generate_private_key(ec.SECP256R1())) for _ in range(2))
    root = os.urandom(32).hex()
    given: dict[str, Any] = {"database": database_url, "root_secret": root}
    kids = [read_pem(key, "ES256").kid for key in (first, second)]
    async with running(tmp_path, signing_key=first.reveal(), **given) as kit:
        assert kit.engine.core.signing.current.kid == kids[0]
    async with running(tmp_path, signing_key=second.reveal(), **given) as kit:
        assert (await states(kit))[kids[1]] == NEXT
        await flow.retire(kit.engine.core, kids[1])
    async with running(tmp_path, signing_key=second.reveal(), **given) as kit:
        assert (await states(kit))[kids[1]] == RETIRED
        assert kit.engine.core.signing.current.kid == kids[0]


async def test_processes_that_start_together_share_a_key(database_url: str, tmp_path: Path) -> None:
    """Several first starts at once end with one key that signs, in every one of them."""
    root = os.urandom(32).hex()
    async with AsyncExitStack() as stack:
        kits = await asyncio.gather(
            *(
                stack.enter_async_context(running(tmp_path, database=database_url, root_secret=root))
                for _ in range(4)
            )
        )
        assert len({kit.engine.core.signing.current.kid for kit in kits}) == 1
        assert sorted((await states(kits[0])).values()) == [CURRENT, NEXT]


async def test_an_rsa_key_does_not_hold_the_loop() -> None:
    """While a slow key is made, the event loop goes on."""
    making = asyncio.create_task(new_key(World(), "RS256"))
    beats = 0
    while not making.done():
        await asyncio.sleep(0)
        beats += 1
    assert making.result().alg == "RS256"
    assert beats > 3
