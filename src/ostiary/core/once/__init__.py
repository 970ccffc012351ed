"""Single-use secrets: bound to a purpose and a subject, stored hashed, taken by one statement (L05, L06).

Two kinds. A *link secret* has 256 bits and is found by its hash. A *code* has six digits, is found by its subject,
stored as a keyed MAC, and every look at it costs one of its few tries first.
"""
