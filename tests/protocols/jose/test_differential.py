"""Our reader beside joserfc and PyJWT: whatever one of them refuses we refuse, and what only we refuse is written down.

Both are asked as their users ask them: the key is found by `kid`, the algorithm is that key's, issuer, audience and
times are checked. joserfc also refuses members of the header that it does not know; that is switched off, since RFC
7515 section 4 says to ignore them.
"""

import json
from collections.abc import Callable
from typing import Any, Final

import jwt as pyjwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk as other_jwk
from joserfc import jwt as other_jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from ostiary.protocols.jose import jwt
from ostiary.protocols.jose.jwk import KeySet, read_set, write_key
from ostiary.protocols.jose.keys import SigningKey
from ostiary.protocols.jose.refusals import InvalidKey, TokenRefused, Why
from tests.protocols.jose import test_jwk
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
    RSA,
    SECRETS,
    SHARED,
    STRANGER,
    T,
    forge,
    header,
)
from tests.protocols.jose.test_attacks import HONEST
from tests.support.tree import ROOT

# The name EdDSA gives way to Ed25519 (RFC 9864); nothing is wrong with the algorithm.
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")

PAGE: Final = (ROOT / "docs" / "tokens-refused.md").read_text("utf-8")

# What both others accept and we refuse: our reason, and words that the page must have.
ONLY_WE: Final[dict[Why, str]] = {
    Why.TOO_LARGE: "longer than 8192 characters",
    Why.EMBEDDED_KEY: "carries `jwk`, `jku`, `x5u` or `x5c`",
    Why.UNENCODED: "`zip`, or with `b64`, even if it is true",
    Why.HEADER: "A header that is no strict JSON",
    Why.TYPE: "of another kind",
    Why.PAYLOAD: "A payload that is no strict JSON",
}
# What one of them accepts and the other one and we refuse, by the one that accepts.
ALSO_ONE: Final[dict[str, frozenset[Why]]] = {
    "pyjwt": frozenset({Why.MALFORMED, Why.HEADER, Why.PAYLOAD}),
    "joserfc": frozenset(),
}
# PyJWT looks at a clock of its own, which has gone on since these were made.
_OF_THE_CLOCK: Final = {Why.EXPIRED, Why.NOT_YET_VALID, Why.ISSUED_IN_FUTURE}


def _material(key: SigningKey) -> Any:
    if key is SHARED:
        return key.verifying._material.reveal_bytes()  # type: ignore[union-attr]
    return key.verifying._material


BY_KID: Final = {key.kid: key for key in KINDS}
THEIRS: Final = {
    key.kid: other_jwk.OctKey.import_key(_material(key))
    if key is SHARED
    else other_jwk.import_key(dict(write_key(key.verifying)))
    for key in KINDS
}


def _key_of(token: str, keys: KeySet) -> SigningKey:
    kid = pyjwt.get_unverified_header(token)["kid"]
    if keys.find(kid) is None:
        raise KeyError(kid)
    return BY_KID[kid]


def by_pyjwt(token: str, keys: KeySet) -> bool:
    """Whether PyJWT accepts a token."""
    try:
        key = _key_of(token, keys)
        pyjwt.decode(
            token, _material(key), algorithms=[key.alg], audience=AUDIENCE, issuer=ISSUER, leeway=30,
            options={"require": ["exp", "iss", "aud"]},
        )  # fmt: skip
    except (pyjwt.PyJWTError, KeyError, ValueError, TypeError, RecursionError):
        return False
    return True


def by_joserfc(token: str, keys: KeySet) -> bool:
    """Whether joserfc accepts a token."""
    try:
        key = _key_of(token, keys)
        read = other_jwt.decode(
            token,
            THEIRS[key.kid],
            registry=JWSRegistry(algorithms=[key.alg], strict_check_header=False),
        )
        other_jwt.JWTClaimsRegistry(
            now=T, leeway=30, iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE}, exp={"essential": True},
        ).validate(read.claims)  # fmt: skip
    except (JoseError, pyjwt.PyJWTError, KeyError, ValueError, TypeError, RecursionError):
        return False
    return True


def ours(token: str, keys: KeySet) -> bool:
    """Whether we accept a token."""
    try:
        jwt.read(token, keys, EXPECTED, NOW)
    except TokenRefused:
        return False
    return True


OTHERS: Final[dict[str, Callable[[str, KeySet], bool]]] = {"pyjwt": by_pyjwt, "joserfc": by_joserfc}


@pytest.mark.parametrize("name", HONEST)
def test_what_we_accept_both_others_accept(name: str) -> None:
    """The honest tokens of the table are no invention of ours."""
    assert {other: accepts(HONEST[name], PUBLIC) for other, accepts in OTHERS.items()} == {
        "pyjwt": True,
        "joserfc": True,
    }


def test_what_only_we_refuse_is_what_the_page_says() -> None:
    """Of the corpus, the others accept cases of exactly the classes that are listed here and on the page."""
    accepted = {
        case: frozenset(name for name, accepts in OTHERS.items() if accepts(case.token, case.keys))
        for case in CASES
        if case.why not in _OF_THE_CLOCK
    }
    both = {case.why for case, names in accepted.items() if len(names) == len(OTHERS)}
    assert both == set(ONLY_WE)
    for other, classes in ALSO_ONE.items():
        assert {case.why for case, names in accepted.items() if names == {other}} == classes
    assert [words for words in ONLY_WE.values() if words not in PAGE] == []
    assert [case.name for case in CASES if case.why is Why.SIGNATURE and accepted[case]] == []


_JUNK = st.sampled_from([0, 1, T - 7200, T + 0.5, float(T), True, str(T), None, -1, 2**64])
_TIMES = _JUNK | st.sampled_from([T, T + 20, T + 7200])
_ENDS = _JUNK | st.sampled_from([T + 7200, T + 86_400])
_TEXT = st.sampled_from(["", "a", ISSUER, AUDIENCE, "https://id.example.com/", None, 1, True])
_CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "iss": _TEXT | st.lists(_TEXT, max_size=2),
        "aud": _TEXT | st.lists(_TEXT, max_size=3),
        "sub": _TEXT, "jti": _TEXT, "exp": _ENDS, "nbf": _TIMES, "iat": _TIMES,
        "x": st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda more: st.lists(more, max_size=2)),
    },
)  # fmt: skip
_HEADER = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.sampled_from(["ES256", "RS256", "HS256", "EdDSA", "none", "PS256", 1, None]),
        "kid": st.sampled_from(["current", "rsa", "edwards", "shared", "x", "", None]),
        "typ": st.sampled_from(["at+jwt", "AT+JWT", "application/at+jwt", "JWT", "", None, 1]),
        "crit": st.sampled_from([[], ["exp"], ["b64"], "exp"]),
        "b64": st.booleans(), "zip": st.just("DEF"), "cty": st.sampled_from(["JWT", 1]),
        "x5t": st.sampled_from(["AAAA", 1]), "x5t#S256": st.sampled_from(["AAAA", None]),
        "jwk": st.just(STRANGER.verifying.members()), "x": st.integers(),
    },
)  # fmt: skip


@given(
    st.sampled_from([*KINDS, STRANGER]),
    _HEADER,
    _CLAIMS,
    st.sets(st.sampled_from(sorted(CLAIMS)), max_size=2),
)
def test_whatever_one_of_them_refuses_we_refuse(
    key: SigningKey, head: dict[str, Any], claims: dict[str, Any], gone: set[str]
) -> None:
    """Tokens that are nearly right, with any key: we accept none that another reader refuses."""
    body = {name: value for name, value in (CLAIMS | claims).items() if name not in gone}
    token = forge(header(key) | head, body, key)
    for keys in (PUBLIC, SECRETS):
        if ours(token, keys):
            assert [name for name, accepts in OTHERS.items() if not accepts(token, keys)] == []


@pytest.mark.parametrize("name", test_jwk.ACCEPTED)
def test_a_key_that_we_accept_the_others_read_too(name: str) -> None:
    """The same public key comes out of all three."""
    members = test_jwk.ACCEPTED[name]
    (mine,) = read_set(json.dumps({"keys": [members]}).encode())
    assert pyjwt.PyJWK(members, algorithm=mine.alg).key == mine._material
    assert other_jwk.import_key(members).thumbprint() == mine.thumbprint()


def test_what_only_we_refuse_of_keys_is_what_the_page_says() -> None:
    """Of the keys that refuse a set, PyJWT reads some; each such class stands on the page."""
    read: set[str] = set()
    for name, members in test_jwk.REFUSED.items():
        try:
            pyjwt.PyJWKSet.from_dict({"keys": [members]})
        except (pyjwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError):
            continue
        read.add(name)
        with pytest.raises(InvalidKey):
            read_set(json.dumps({"keys": [members]}).encode())
    assert {
        "private: dq",
        "a shared secret",
        "n of 1024 bits",
        "n of ROCA",
        "e of 3",
        "key_ops no list",
    } <= read
    for words in ("private member", "fewer than 2048 bits", "ROCA", "exponent below 65537", "`key_ops`"):
        assert words in PAGE


def test_a_token_of_ours_is_read_by_others() -> None:
    """What we write, everybody reads."""
    for key in KINDS:
        token = jwt.write(key, CLAIMS, "at+jwt")
        keys = SECRETS if key is SHARED else PUBLIC
        assert [accepts(token, keys) for accepts in OTHERS.values()] == [True, True]
    assert RSA.alg == "RS256"
    assert KEY.alg == "ES256"
