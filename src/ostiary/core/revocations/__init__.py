"""What is revoked before it expires: ended sessions, stale rights, retired keys; and the feed that says so.

`record.py` writes an entry in the transaction of its reason, `feed.py` reads pages and keeps the cursor, `waiting.py`
lets followers wait for news without costing anything meanwhile, `reads.py` lets a read end whose asker has left.
"""
