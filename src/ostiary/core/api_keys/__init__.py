"""API keys: how programs speak for an account without a session.

`store.py` keeps one row for each key, with a hash of it; `keys.py` finds out whom a presented key speaks for, at every
request anew. Making, rotating and revoking them is the rib's. A key never is a session: what needs one refuses keys.
"""
