"""L13: tokens decided by themselves how they were checked. Here the key decides, and the header is only data."""

import ast
import json
from datetime import timedelta

import pytest

from ostiary.kernel.secret import Secret
from ostiary.protocols.jose import base64url, jwt
from ostiary.protocols.jose.jwk import KeySet
from ostiary.protocols.jose.keys import ALGORITHMS, SigningKey, VerifyingKey
from ostiary.protocols.jose.refusals import InvalidKey, TokenRefused, Why
from tests.protocols.jose.corpus import (
    CLAIMS,
    EXPECTED,
    ISSUER,
    KEY,
    KINDS,
    NOW,
    PUBLIC,
    RSA,
    STRANGER,
    forge,
    header,
    honest,
)
from tests.support.tree import PACKAGE, sources


def refusal(token: str, keys: KeySet = PUBLIC) -> Why:
    """Why a token is refused."""
    with pytest.raises(TokenRefused) as caught:
        jwt.read(token, keys, EXPECTED, NOW)
    return caught.value.why


@pytest.mark.parametrize("key", KINDS, ids=lambda key: key.alg)
@pytest.mark.parametrize("alg", [*ALGORITHMS, "none", "NONE"])
def test_the_header_never_chooses_the_algorithm(key: SigningKey, alg: str) -> None:
    """With every key, a token whose header names any other algorithm is refused, however it was signed."""
    if alg != key.alg:
        token = forge(header(key, alg=alg), CLAIMS, key)
        wanted = Why.ALG_NONE if alg.lower() == "none" else Why.ALG_NOT_OF_KEY
        assert refusal(token, KeySet([key.verifying])) is wanted


def test_nobody_can_even_say_which_algorithm_to_use() -> None:
    """Neither making a key nor reading a token has an argument for the algorithm (only generating a key has)."""
    with pytest.raises(TypeError):
        VerifyingKey(Secret(b"k" * 32), "x", alg="HS256")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        jwt.read(honest(), PUBLIC, EXPECTED, NOW, algorithms=["none"])  # type: ignore[call-arg]


def test_a_public_key_is_never_a_shared_secret() -> None:
    """The classic confusion: RS256 becomes HS256, with the public key as the secret."""
    for secret in (
        json.dumps(RSA.verifying.members()).encode(),
        base64url.decode(RSA.verifying.members()["n"]),
    ):
        forged = forge(header(alg="HS256", kid="rsa"), CLAIMS, SigningKey(Secret(secret), kid="rsa"))
        assert refusal(forged) is Why.ALG_NOT_OF_KEY
    with pytest.raises(InvalidKey):
        KeySet([RSA.verifying, SigningKey(Secret(b"k" * 32), kid="shared").verifying])


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
def test_a_token_never_brings_its_own_key(member: str) -> None:
    """Neither the key itself nor a place to fetch it from counts, even under a kid that we know."""
    value = {"jwk": STRANGER.verifying.members(), "x5c": ["MIIB"]}.get(member, "https://evil.example/keys")
    assert refusal(forge(header() | {member: value}, CLAIMS, STRANGER)) is Why.EMBEDDED_KEY


def test_an_empty_secret_is_no_key() -> None:
    """HMAC takes an empty key; we do not."""
    with pytest.raises(InvalidKey):
        VerifyingKey(Secret(b""), "x")


def test_an_issuer_is_one_text() -> None:
    """A list that holds the right issuer is another issuer."""
    assert refusal(honest(iss=[ISSUER])) is Why.ISSUER


def test_what_is_critical_and_unknown_is_refused() -> None:
    """`crit` exists so that who does not understand stops (RFC 7515 section 4.1.11)."""
    assert refusal(forge(header(crit=["bound"], bound=True), CLAIMS)) is Why.CRIT


@pytest.mark.parametrize("key", KINDS, ids=lambda key: key.alg)
def test_an_empty_signature_signs_nothing(key: SigningKey) -> None:
    """Neither nothing nor a single byte is a signature, whatever the key."""
    keys = KeySet([key.verifying])
    assert refusal(forge(header(key), CLAIMS, signature=b""), keys) is Why.MALFORMED
    assert refusal(forge(header(key), CLAIMS, signature=b"\0"), keys) is Why.SIGNATURE


def test_one_kind_of_token_is_no_other_kind() -> None:
    """A log-out token, rightly signed for the same audience, opens nothing (F9)."""
    assert refusal(jwt.write(KEY, CLAIMS, "logout+jwt")) is Why.TYPE


def test_time_is_said_last() -> None:
    """Only a token that is right in everything else is called expired."""
    late = {name: CLAIMS[name] - 9000 for name in ("exp", "iat", "nbf")}
    assert refusal(forge(header(), CLAIMS | late)) is Why.EXPIRED
    assert refusal(forge(header(), CLAIMS | late, STRANGER)) is Why.SIGNATURE
    assert refusal(forge(header(), CLAIMS | late | {"aud": "x"})) is Why.AUDIENCE
    with pytest.raises(TokenRefused):
        jwt.read(honest(), PUBLIC, EXPECTED, NOW + timedelta(hours=3))


def test_no_other_jose_library_is_used() -> None:
    """There is one reader of tokens: no source file imports another one."""
    others = {"jwt", "joserfc", "jose", "authlib", "jwcrypto"}
    found = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        )
        if name.partition(".")[0] in others
    ]
    assert found == []
