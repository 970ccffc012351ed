"""Signed JSON (JOSE): keys, compact messages and tokens, read strictly.

keys      `SigningKey` and `VerifyingKey`; the key fixes the algorithm: ES256, RS256, EdDSA, by choice HS256
moduli    which RSA keys are strong enough
jwk       keys as JSON, `KeySet`, reading and writing the published set
jws       the compact form: `parse` – `check` – `write`
jwt       the claims of a token: `Expected`, `read`, `write`
refusals  why something is refused: `TokenRefused`, `InvalidKey`

Nothing here fetches, stores or knows the time; `now` is an argument.
"""
