"""Owns what checking an access token costs, beside PyJWT and joserfc on the same tokens in the same run."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from typing import Any, Final

import jwt as pyjwt
from joserfc import jwk as other_jwk
from joserfc import jwt as other_jwt

from ostiary.kernel.world import World
from ostiary.protocols import access_token
from ostiary.protocols.jose import jwt
from ostiary.protocols.jose.jwk import KeySet, write_key
from ostiary.protocols.jose.keys import SigningKey
from ostiary.verifier.knowledge import Knowledge, Moment

_ISSUER: Final = "https://id.example.com"
_AUDIENCE: Final = "https://api.example.com"
_TOKENS: Final = 300


def verifying(rounds: int) -> Iterator[tuple[str, list[float]]]:
    """CPU microseconds for each token, a value per round; all take turns, so their ratios hold on a busy machine."""
    world = World()
    key = SigningKey.generate(world)
    numbers = count()
    knowledge = _informed(key, world)
    public = other_jwk.import_key(dict(write_key(key.verifying)))
    theirs = pyjwt.PyJWK(write_key(key.verifying))
    options: Any = {"require": ["exp", "iss", "aud"]}
    registry = other_jwt.JWTClaimsRegistry(
        leeway=30,
        iss={"essential": True, "value": _ISSUER},
        aud={"essential": True, "value": _AUDIENCE},
        exp={"essential": True},
    )

    def ours(token: str) -> object:
        return knowledge.judge(token, Moment(world.now(), world.monotonic()))

    def by_pyjwt(token: str) -> object:
        return pyjwt.decode(
            token,
            theirs,
            algorithms=["ES256"],
            audience=_AUDIENCE,
            issuer=_ISSUER,
            leeway=30,
            options=options,
        )

    def by_joserfc(token: str) -> None:
        registry.validate(other_jwt.decode(token, public, algorithms=["ES256"]).claims)

    named: dict[str, Callable[[str], object]] = {
        "an access token (ES256) judged by the verifier, CPU µs": ours,
        "the same token again": ours,
        "the same by PyJWT": by_pyjwt,
        "the same by joserfc": by_joserfc,
    }
    took: dict[str, list[float]] = {name: [] for name in named}
    for _ in range(rounds + 1):
        tokens = [_token(key, world, next(numbers)) for _ in range(_TOKENS)]
        for name, check in named.items():
            begun = time.process_time()
            for token in tokens:
                check(token)
            took[name].append((time.process_time() - begun) / _TOKENS * 1e6)
    for name, values in took.items():
        yield name, values[1:]  # the first round warms up


def _informed(key: SigningKey, world: World) -> Knowledge:
    knowledge = Knowledge(access_token.expected(_ISSUER, _AUDIENCE), timedelta(minutes=5), 10_000)
    moment = Moment(world.now(), world.monotonic())
    knowledge.learn_keys(KeySet([key.verifying]), moment, timedelta(minutes=5))
    knowledge.learn_revoked((), moment, is_all=True)
    return knowledge


def _token(key: SigningKey, world: World, number: int) -> str:
    now = int(world.now().timestamp())
    claims = {
        "iss": _ISSUER, "aud": _AUDIENCE, "sub": "01jz0000000000000000000000", "client_id": "app",
        "jti": f"{number:026}", "sid": "01jz0000000000000000000001", "iat": now, "exp": now + 900,
        "scope": "openid profile", "roles": ["editor", "admin"], "amr": ["pwd", "otp"], "acr": "2", "auth_time": now,
        "ver": 3,
    }  # fmt: skip
    return jwt.write(key, claims, access_token.TYPE)
