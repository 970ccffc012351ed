"""`Passwords`: checking, hashing, verifying and what they refuse."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostiary.core.passwords.codes import VIOLATION_CODES
from ostiary.core.passwords.hasher import Passwords, Verdict
from ostiary.core.passwords.schemes import Argon2id, Scheme
from ostiary.core.passwords.settings import PasswordSettings
from ostiary.kernel.errors import CODES, Misuse, Refused
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.protocols.password_rules import normalise
from tests.core.passwords.ring import CHEAP, Ring, cheap_passwords, no_transaction, unnoted

NO = Verdict(matches=False, rehash=False)
YES = Verdict(matches=True, rehash=False)
STALE = Verdict(matches=True, rehash=True)
PASSWORD = Secret("seven wet owls read old maps")


@pytest.fixture(params=CHEAP, ids=lambda scheme: scheme.name)
def passwords(request: pytest.FixtureRequest) -> Iterator[Passwords]:
    """`Passwords` of each scheme in turn."""
    made = cheap_passwords(request.param)
    yield made
    made.close()


async def test_hash_and_verify(passwords: Passwords) -> None:
    """What was hashed verifies, another password does not, and two hashes of one password differ."""
    stored = await passwords.hash(PASSWORD)
    assert await passwords.verify(PASSWORD, stored) == YES
    assert await passwords.verify(Secret("seven wet owls read old map"), stored) == NO
    assert await passwords.hash(PASSWORD) != stored


async def test_composed_and_decomposed_sign_in_alike(passwords: Passwords) -> None:
    """S-A4: é typed as one code point or as two is the same password; another case or a space more is not."""
    stored = await passwords.hash(Secret("caf\u00e9 au lait"))
    assert await passwords.verify(Secret("cafe\u0301 au lait"), stored) == YES
    assert await passwords.verify(Secret("CAF\u00e9 au lait"), stored) == NO
    assert await passwords.verify(Secret("caf\u00e9 au lait "), stored) == NO


async def test_long_passwords_and_nul_count_whole(passwords: Passwords) -> None:
    """S-A3, S-A5: 128 characters of four bytes are hashed whole, and so is what follows a NUL."""
    stored = await passwords.hash(Secret("🦉" * 127 + "a"))
    assert await passwords.verify(Secret("🦉" * 127 + "a"), stored) == YES
    assert await passwords.verify(Secret("🦉" * 127 + "b"), stored) == NO
    stored = await passwords.hash(Secret("a\0b"))
    assert await passwords.verify(Secret("a\0c"), stored) == NO


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(st.characters(exclude_categories=()), max_size=128))
async def test_any_text_verifies_or_is_refused(passwords: Passwords, text: str) -> None:
    """L36: whatever text of permitted length is typed, it hashes and verifies, or is refused for lone surrogates."""
    password = Secret(text.encode("utf-8", "surrogatepass"))
    if any("\ud800" <= c <= "\udfff" for c in text):
        with pytest.raises(Refused, match="password_invalid_characters"):
            await passwords.hash(password)
        return
    if len(normalise(text)) > 128:  # some characters grow under NFC
        with pytest.raises(Refused, match="password_too_long"):
            await passwords.hash(password)
        return
    stored = await passwords.hash(password)
    assert await passwords.verify(password, stored) == YES


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "",
        "garbage",
        "$2b$12$abcdefghijklmnopqrstuv",
        "$argon2id$v=19$m=8,t=1,p=1,keyid=gone$AAECAwQFBgcICQoLDA0ODw$" + "A" * 43,
    ],
)
async def test_nothing_to_compare_with_costs_the_same(stored: str | None, passwords: Passwords) -> None:
    """S-A12: without a usable stored hash one derivation at current cost is done, and nothing matches."""
    counted = Counting(passwords._scheme)
    passwords._scheme = counted
    assert await passwords.verify(PASSWORD, stored) == NO
    assert counted.derived == 1


async def test_lone_surrogates_verify_false_at_equal_cost() -> None:
    """A password without a UTF-8 form matches nothing, raises nothing, and is worked for like any other."""
    passwords = cheap_passwords()
    stored = await passwords.hash(PASSWORD)
    for password in (Secret("seven \ud800 owls".encode("utf-8", "surrogatepass")), Secret(b"\xff\xfe\x00")):
        counted = Counting(CHEAP[0])
        passwords._scheme = counted
        assert await passwords.verify(password, stored) == NO
        assert counted.derived == 1
        passwords._scheme = CHEAP[0]
        with pytest.raises(Refused) as refused:
            await passwords.judge(password, note=unnoted)
        assert "password_invalid_characters" in [
            entry["code"] for entry in refused.value.details["violations"]
        ]
    passwords.close()


async def test_rehash_is_asked_for_when_scheme_cost_or_key_changed() -> None:
    """S-A11: an old scheme, cost or pepper key still verifies and asks for a new hash; a wrong password does not."""
    ring = Ring(k1=b"1" * 32, k2=b"2" * 32)
    ring.newest = "k1"
    for old in CHEAP:
        stored = await (before := cheap_passwords(old, ring)).hash(PASSWORD)
        now = cheap_passwords(Argon2id(16, 1, 1), ring)
        assert await now.verify(PASSWORD, stored) == STALE
        assert await now.verify(Secret("wrong"), stored) == NO
        ring.newest = "k2"
        assert await before.verify(PASSWORD, stored) == STALE
        ring.newest = "k1"
        before.close()
        now.close()


async def test_pepper_can_be_switched_on_and_off() -> None:
    """Hashes from before the switch verify and ask for a new hash; all but Argon2id stay keyed."""
    on, off = cheap_passwords(pepper=True), cheap_passwords(pepper=False)
    peppered, plain = await on.hash(PASSWORD), await off.hash(PASSWORD)
    assert ("keyid=" in peppered, "keyid=" in plain) == (True, False)
    assert await on.verify(PASSWORD, plain) == STALE
    assert await off.verify(PASSWORD, peppered) == STALE
    keyed = [cheap_passwords(scheme, pepper=False) for scheme in CHEAP[1:]]
    assert all(["keyid=k1" in await made.hash(PASSWORD) for made in keyed])
    for made in (on, off, *keyed):
        made.close()


async def test_another_key_under_the_same_id_proves_nothing() -> None:
    """S-A11: without the right pepper key a stolen hash cannot be matched."""
    ours, theirs = (cheap_passwords(ring=Ring(k1=key)) for key in (b"1" * 32, b"x" * 32))
    assert await theirs.verify(PASSWORD, await ours.hash(PASSWORD)) == NO
    ours.close()
    theirs.close()


async def test_settings_decide_the_scheme() -> None:
    """With nothing but settings, hashes are Argon2id at OWASP's costs with the current pepper key."""
    passwords = Passwords(World(), PasswordSettings(), Ring(), no_transaction)
    stored = await passwords.hash(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1,keyid=k1$")
    assert await passwords.verify(PASSWORD, stored) == YES
    passwords.close()


async def test_nothing_slow_while_a_transaction_is_open() -> None:
    """The guard is asked before each judging and hashing, for a known and an unknown account alike."""

    def open_transaction() -> None:
        raise Misuse("a transaction is open")

    passwords = Passwords(World(), PasswordSettings(), Ring(), open_transaction, scheme=CHEAP[0])
    for work in (
        passwords.judge(PASSWORD, note=unnoted),
        passwords.hash(PASSWORD),
        passwords.verify(PASSWORD, None),
    ):
        with pytest.raises(Misuse):
            await work
    assert passwords.pool._threads == []


async def test_unsuitable_key_ids_are_misuse() -> None:
    """A key id that would break the stored form is the developer's mistake and says so."""
    passwords = cheap_passwords(ring=Ring(**{"k$1": b"1" * 32}))
    with pytest.raises(Misuse, match="PHC"):
        await passwords.hash(PASSWORD)


async def test_judging_refuses_with_all_violations() -> None:
    """A refusal carries the first violation's code and lists all of them, by registered 422 codes."""
    made = Passwords(
        World(),
        PasswordSettings(password_preset="composition12"),
        Ring(),
        no_transaction,
        scheme=CHEAP[0],
    )
    with pytest.raises(Refused) as refused:
        await made.judge(Secret("anna"), ["anna@acme.example"], note=unnoted)
    listed = refused.value.details["violations"]
    assert refused.value.code.name == listed[0]["code"] == "password_too_short"
    assert [entry["code"] for entry in listed] == [
        "password_too_short",
        "password_needs_upper",
        "password_needs_digit",
        "password_needs_symbol",
        "password_contains_context",
    ]
    assert all(set(entry) == {"code", "message"} for entry in listed)
    await made.judge(Secret("Vkq7 zmwt!xplr"), ["anna@acme.example"], note=unnoted)


def test_violation_codes_are_registered() -> None:
    """Every violation is a public code of its own, answered with 422."""
    assert all(CODES[name] is known and known.status == 422 for name, known in VIOLATION_CODES.items())


class Counting:
    """A scheme that counts its derivations."""

    def __init__(self, scheme: Scheme) -> None:
        self._real = scheme
        self.name = scheme.name
        self.digest_bytes = scheme.digest_bytes
        self.always_keyed = scheme.always_keyed
        self.costs = scheme.costs
        self.mistake = scheme.mistake
        self.expected = scheme.expected
        self.derived = 0

    def derive(self, data: bytes, salt: bytes, length: int) -> bytes:
        self.derived += 1
        return self._real.derive(data, salt, length)
