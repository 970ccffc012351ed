"""What an access token says, and what is no access token although it is a good token."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ostiary.protocols import access_token
from ostiary.protocols.access_token import AccessToken
from ostiary.protocols.jose import jwt
from ostiary.protocols.jose.refusals import TokenRefused, Why
from tests.protocols.jose.corpus import AUDIENCE, CLAIMS, ISSUER, KEY, NOW, PUBLIC, T

FULL: dict[str, Any] = CLAIMS | {
    "sid": "session-1", "scope": "notes:read notes:write", "roles": ["editor"], "amr": ["pwd", "otp"], "acr": "2",
    "auth_time": T - 60, "ver": 7,
}  # fmt: skip


def read(claims: dict[str, Any], typ: str = "at+jwt") -> AccessToken:
    """Sign the claims and read them as an access token."""
    wanted = access_token.expected(ISSUER, AUDIENCE)
    return access_token.of(jwt.read(jwt.write(KEY, claims, typ), PUBLIC, wanted, NOW))


def test_every_claim_has_its_type() -> None:
    """What the issuer wrote comes out as times, sets and texts."""
    token = read(FULL)
    assert (token.id, token.subject, token.client_id, token.session_id) == (
        "one",
        "account-1",
        "app",
        "session-1",
    )
    assert token.audience == (AUDIENCE,)
    assert token.scopes == {"notes:read", "notes:write"}
    assert token.roles == {"editor"}
    assert (token.amr, token.acr, token.version, token.kid) == (("pwd", "otp"), "2", 7, "current")
    assert token.authenticated_at == datetime.fromtimestamp(T - 60, UTC)
    assert dict(token.claims) == FULL
    assert "account-1" in repr(token)
    assert "claims" not in repr(token), "they may hold what a log should not"


def test_a_service_has_no_session() -> None:
    """A token that a client got for itself says less, and that is fine."""
    token = read(CLAIMS | {"scope": ""})
    assert (token.session_id, token.authenticated_at, token.version, token.acr) == (None, None, None, None)
    assert (token.scopes, token.roles, token.amr) == (frozenset(), frozenset(), ())


@pytest.mark.parametrize("name", ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"])
def test_what_it_cannot_do_without_must_be_there(name: str) -> None:
    """RFC 9068 section 2.2."""
    with pytest.raises(TokenRefused):
        read({each: value for each, value in FULL.items() if each != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("sid", wrong) for wrong in (None, 1, "", ["a"])),
        *(("client_id", wrong) for wrong in (None, 1, "")),
        *(("scope", wrong) for wrong in (None, 1, ["notes:read"])),
        *(("roles", wrong) for wrong in (None, "admin", {"admin": 1}, [1], [["admin"]], ["a", None])),
        *(("amr", wrong) for wrong in (None, "pwd", [1])),
        *(("acr", wrong) for wrong in (None, 2, "")),
        *(("auth_time", wrong) for wrong in (None, "1", 1.0, True, -1, 10**12)),
        *(("ver", wrong) for wrong in (None, "7", 7.0, True, -1, 2**63)),
    ],
)
def test_a_claim_of_the_wrong_type_refuses_the_token(name: str, value: Any) -> None:
    """A list that is a text, or a number that is a truth value, is never read as something near it."""
    with pytest.raises(TokenRefused) as caught:
        read(FULL | {name: value})
    assert caught.value.why is Why.PAYLOAD


@pytest.mark.parametrize("typ", ["JWT", "logout+jwt", "revocations+jwt"])
def test_another_kind_is_none(typ: str) -> None:
    """However rightly signed, and whatever it says."""
    with pytest.raises(TokenRefused) as caught:
        read(FULL, typ)
    assert caught.value.why is Why.TYPE
