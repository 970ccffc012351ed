"""Tokens that must be refused, and honest ones that must not."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ostiary.kernel.errors import Misuse
from ostiary.protocols.jose import jws, jwt
from ostiary.protocols.jose.jwk import KeySet
from ostiary.protocols.jose.jwt import Expected
from ostiary.protocols.jose.keys import SigningKey
from ostiary.protocols.jose.refusals import TokenRefused, Why
from tests.protocols.jose.corpus import (
    AUDIENCE,
    CASES,
    CLAIMS,
    EXPECTED,
    ISSUER,
    KEY,
    KINDS,
    NOW,
    PUBLIC,
    SECRETS,
    Case,
    T,
    forge,
    header,
    honest,
    without,
)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_an_attack_is_refused(case: Case) -> None:
    """The token is refused, for the reason that its maker would expect, and with the right public code."""
    with pytest.raises(TokenRefused) as caught:
        jwt.read(case.token, case.keys, EXPECTED, NOW)
    assert caught.value.why is case.why
    assert caught.value.code.name == ("token_expired" if case.why is Why.EXPIRED else "token_invalid")
    assert caught.value.code.status == 401


def test_the_corpus_is_no_collection_of_twins() -> None:
    """The table is as large as it claims, every case differs, and every reason has a case."""
    assert len({case.name for case in CASES}) == len({case.token for case in CASES}) == len(CASES) > 200
    asked_later = {Why.KEY_RETIRED, Why.SESSION_ENDED, Why.STALE, Why.PROOF_TOO_OLD, Why.PROOF_TOO_WEAK}
    assert {case.why for case in CASES} == set(Why) - asked_later


@pytest.mark.parametrize("key", KINDS, ids=lambda key: key.alg)
def test_an_honest_token_is_read(key: SigningKey) -> None:
    """Every algorithm signs what it then reads, and all claims come out as they went in."""
    token = jwt.read(
        jwt.write(key, CLAIMS, "at+jwt"), SECRETS if key.alg == "HS256" else PUBLIC, EXPECTED, NOW
    )
    assert dict(token.claims) == CLAIMS
    assert (token.issuer, token.audience, token.subject, token.kid) == (
        ISSUER,
        (AUDIENCE,),
        "account-1",
        key.kid,
    )
    assert token.issued_at == NOW
    assert token.expires_at == NOW + timedelta(hours=2)


HONEST: dict[str, str] = {
    "one of several audiences": honest(aud=["https://other.example", AUDIENCE]),
    "the full media type": forge(header(typ="application/at+jwt"), CLAIMS),
    "a media type in capitals": forge(header(typ="AT+JWT"), CLAIMS),
    "a full media type in capitals": forge(header(typ="Application/At+Jwt"), CLAIMS),
    "a header member that means nothing": forge(header(x5t="abc", vendor={"a": [1]}), CLAIMS),
    "no iat and no nbf": forge(header(), {k: v for k, v in CLAIMS.items() if k not in ("iat", "nbf")}),
    "no sub and no jti": forge(header(), {k: v for k, v in CLAIMS.items() if k not in ("sub", "jti")}),
    "issued as far ahead as clocks may be apart": honest(iat=T + 30, nbf=T + 30),
    "white space in the JSON": forge(b' {"alg" : "ES256",\r\n"kid":"current", "typ":"at+jwt"}\n', CLAIMS),
    "a name that looks like a member": honest(note='"sub":"root","sub":1', other="\\", third='\\"a":'),
    "objects in a list": honest(details=[{"type": "a"}, {"type": "b", "more": {"type": "c"}}]),
    "braces in a text": honest(note="{[{[{["),
    "the last moment of 9999": honest(exp=253_402_300_799),
}  # fmt: skip

# Apart from the others, because it would not wait for a reader with a clock of its own.
NEARLY_OVER: dict[str, str] = {"a second before its end, with the leeway": honest(exp=T - 29)}


@pytest.mark.parametrize("name", HONEST | NEARLY_OVER)
def test_what_the_specification_allows_is_accepted(name: str) -> None:
    """Strictness does not refuse an honest token that is only written in another way."""
    assert jwt.read((HONEST | NEARLY_OVER)[name], PUBLIC, EXPECTED, NOW).kid == KEY.kid


def test_a_set_of_one_key_needs_no_kid() -> None:
    """With a single key there is nothing to choose."""
    token = forge({"alg": "ES256", "typ": "at+jwt"}, CLAIMS)
    assert jwt.read(token, KeySet([KEY.verifying]), EXPECTED, NOW).kid == KEY.kid


def test_a_required_claim_must_be_there() -> None:
    """Each kind of token says which claims it cannot do without."""
    expected = Expected(ISSUER, AUDIENCE, "at+jwt", required=frozenset({"sub", "jti"}))
    assert jwt.read(honest(), PUBLIC, expected, NOW).subject
    with pytest.raises(TokenRefused) as caught:
        jwt.read(forge(header(), without("jti")), PUBLIC, expected, NOW)
    assert caught.value.why is Why.CLAIM_MISSING


def test_a_kind_without_audience_has_none() -> None:
    """Where no audience is expected, a token that is meant for somebody is refused."""
    expected = Expected(ISSUER, None, "revocations+jwt")
    head = header(typ="revocations+jwt")
    assert jwt.read(forge(head, without("aud")), PUBLIC, expected, NOW).audience == ()
    for audience in (AUDIENCE, [AUDIENCE], []):
        with pytest.raises(TokenRefused) as caught:
            jwt.read(forge(head, CLAIMS | {"aud": audience}), PUBLIC, expected, NOW)
        assert caught.value.why is Why.AUDIENCE


@pytest.mark.parametrize(("head", "is_accepted"), [
    ({"alg": "ES256", "kid": "current"}, True), (header(typ="JWT"), True), (header(typ="jwt"), True),
    (header(), False), (header(typ="logout+jwt"), False),
])  # fmt: skip
def test_a_kind_without_a_type_takes_no_other_kind(head: dict[str, Any], is_accepted: bool) -> None:
    """An ID token has no type of its own; that does not make an access token one."""
    expected = Expected(ISSUER, AUDIENCE, None)
    if is_accepted:
        assert jwt.read(forge(head, CLAIMS), PUBLIC, expected, NOW).subject
    else:
        with pytest.raises(TokenRefused) as caught:
            jwt.read(forge(head, CLAIMS), PUBLIC, expected, NOW)
        assert caught.value.why is Why.TYPE


def test_a_proof_may_carry_its_key_where_its_kind_says_so() -> None:
    """A DPoP proof has its key in the header; that is allowed by name, and for nothing else."""
    token = forge(header(jwk=KEY.verifying.members()), CLAIMS)
    assert jwt.read(token, PUBLIC, EXPECTED, NOW, carrying={"jwk"}).kid == KEY.kid
    with pytest.raises(TokenRefused) as caught:
        jwt.read(forge(header(jku="https://a.example"), CLAIMS), PUBLIC, EXPECTED, NOW, carrying={"jwk"})
    assert caught.value.why is Why.EMBEDDED_KEY


@pytest.mark.parametrize("wrong", [
    {"leeway": timedelta(seconds=61)}, {"leeway": timedelta(seconds=-1)}, {"issuer": ""}, {"audience": ""},
    {"typ": ""}, {"typ": "AT+JWT"}, {"typ": "application/at+jwt"},
])  # fmt: skip
def test_a_lax_expectation_is_misuse(wrong: dict[str, Any]) -> None:
    """A verifier cannot be built that accepts more than a minute of skew, or anybody's token."""
    with pytest.raises(Misuse):
        Expected(**({"issuer": ISSUER, "audience": AUDIENCE, "typ": "at+jwt"} | wrong))


def test_an_empty_payload_is_not_signed() -> None:
    """Nothing could read it again."""
    with pytest.raises(ValueError, match="empty"):
        jws.write(KEY, b"", "at+jwt")


TOKEN = honest()
_PIECES = st.sampled_from([
    *TOKEN.split("."), ".", "..", "=", "\n", "eyJhbGciOiJub25lIn0", "AAAA", "A", "", "{}", "é", "\ud800",
])  # fmt: skip


@given(st.one_of(st.text(max_size=200), st.lists(_PIECES, max_size=8).map("".join)))
@example("eyJhbGciOiJub25lIn0.e30.")
def test_whatever_text_comes_it_is_refused_and_nothing_else(text: str) -> None:
    """No text makes the reader fail in another way than by its refusal; only the honest token passes."""
    if text != TOKEN:
        with pytest.raises(TokenRefused):
            jwt.read(text, PUBLIC, EXPECTED, NOW)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_HEADERS = st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "zip", "x"]), _JSON) | _JSON
_BODIES = (
    st.dictionaries(st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub", "jti", "x"]), _JSON) | _JSON
)


@given(_HEADERS | st.binary(max_size=64), _BODIES | st.binary(max_size=64), st.booleans())
def test_whatever_is_signed_it_is_refused_and_nothing_else(head: Any, body: Any, is_headed: bool) -> None:
    """Rightly signed nonsense, behind an honest header or not, ends in the refusal too."""
    with pytest.raises(TokenRefused):
        jwt.read(forge(header() if is_headed else head, body), PUBLIC, EXPECTED, NOW)


@given(st.data())
def test_one_changed_character_is_one_too_many(data: st.DataObject) -> None:
    """Exchange any single character of an honest token, and it is refused: no two texts mean the same token."""
    at = data.draw(st.integers(0, len(TOKEN) - 1))
    other = data.draw(st.characters(max_codepoint=255).filter(lambda c: c != TOKEN[at]))
    with pytest.raises(TokenRefused):
        jwt.read(TOKEN[:at] + other + TOKEN[at + 1 :], PUBLIC, EXPECTED, NOW)
