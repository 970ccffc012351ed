"""A service asks for more than a good token: a late proof, two factors, or both (RFC 9470)."""

import math
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from ostiary.kernel.errors import Misuse
from ostiary.kernel.world import World
from ostiary.protocols.access_token import AccessToken
from ostiary.protocols.jose.refusals import TokenRefused, Why
from ostiary.verifier import SyncVerifier, Verifier
from tests.protocols.jose.corpus import AUDIENCE, ISSUER, NOW, T
from tests.verifier.test_knowledge import at, informed, token

QUARTER: Final = timedelta(minutes=15)


class Stopped(World):
    """A world whose time stands still."""

    def now(self) -> datetime:
        """That moment."""
        return NOW + QUARTER


def read(**claims: Any) -> AccessToken:
    """A good token, judged."""
    return informed().judge(token(**claims), at())


@pytest.mark.parametrize("kind", [Verifier, SyncVerifier])
def test_both_verifiers_ask(kind: type[Verifier | SyncVerifier]) -> None:
    """To the second: enough at fifteen minutes, too old a second later; the challenge says what would be enough."""
    verifier = kind(ISSUER, AUDIENCE, world=Stopped())
    verifier.require_fresh(read(auth_time=T), 15)
    verifier.require_fresh(read(auth_time=T, acr="2"), 15, acr="2")
    for claims, asked, why, told in (
        ({"auth_time": T - 1, "acr": "2"}, {"minutes": 15}, Why.PROOF_TOO_OLD, 'max_age="900"'),
        ({"acr": "2"}, {"minutes": 15}, Why.PROOF_TOO_OLD, 'max_age="900"'),
        ({"auth_time": T, "acr": "1"}, {"acr": "2"}, Why.PROOF_TOO_WEAK, 'acr_values="2"'),
        ({"auth_time": T}, {"acr": "1"}, Why.PROOF_TOO_WEAK, 'acr_values="1"'),
        ({"auth_time": T, "acr": "urn:gold"}, {"acr": "2"}, Why.PROOF_TOO_WEAK, 'acr_values="2"'),
        ({"auth_time": T - 1, "acr": "1"}, {"minutes": 15, "acr": "2"}, Why.PROOF_TOO_WEAK,
         'max_age="900", acr_values="2"'),
    ):  # fmt: skip
        given: dict[str, Any] = {"auth_time": None, "acr": None} | claims
        with pytest.raises(TokenRefused) as refused:
            verifier.require_fresh(read(**given), **asked)
        assert (refused.value.why, refused.value.code.name) == (why, "fresh_authentication_required"), given
        assert refused.value.challenge == f'Bearer error="insufficient_user_authentication", {told}', given


def test_what_is_asked_for_must_be_something() -> None:
    """Neither nothing, nor no time, nor a level that there is not."""
    verifier = Verifier(ISSUER, AUDIENCE)
    for asked in (
        {},
        {"minutes": 0},
        {"minutes": -1},
        {"minutes": math.nan},
        {"minutes": math.inf},
        {"acr": "3"},
        {"minutes": 5, "acr": ""},
    ):
        with pytest.raises(Misuse, match="above zero"):
            verifier.require_fresh(read(), **asked)


def test_a_bad_token_is_another_matter() -> None:
    """Its challenge asks for another token, and for nothing else."""
    with pytest.raises(TokenRefused) as refused:
        informed().judge("no.such.token", at())
    assert refused.value.challenge == 'Bearer error="invalid_token"'
