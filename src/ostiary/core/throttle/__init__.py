"""Throttle: rate windows per network and per address, lockout per account. Counters are atomic and live in SQL.

A try is *reserved* (counted as a failure) before anything is judged, in its own short transaction; a success gives it
back. So concurrent tries can never exceed a limit. `rules.py` decides, `store.py` keeps, `throttle.py` does.
"""
