"""Tokens: a short signed access token for services, and a refresh token that is exchanged for the next pair.

`access.py` says what an access token says and reads our own; `refresh.py` is the text of a refresh token and the pure
judgement of one; `store.py` keeps one row for each family; `tokens.py` walks. A family belongs to a session and dies
with it.
"""
