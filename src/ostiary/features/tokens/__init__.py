"""Tokens: an access token for whoever has a session, and the next pair for whoever has a refresh token.

    POST /auth/token      a session cookie → access token; or a front end's one-time code → a pair (hot)
    POST /auth/refresh    a refresh token → the next pair (hot)
    GET /auth/revocations what is revoked, for whoever checks access tokens without asking (hot)

Who signs in with `delivery: tokens` gets the first pair from the sign-in itself; `core/tokens` makes them all.
"""
