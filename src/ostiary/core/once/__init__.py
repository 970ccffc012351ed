"""Single-use secrets: bound to a purpose and a subject, stored hashed, taken by one statement (L05, L06).

Three kinds. A *link secret* has 256 bits and is found by its hash. A *code* has six digits, is found by its subject,
stored as a keyed MAC, and every look at it costs one of its few tries first. A *claim* makes a value work once that we
sealed and somebody else keeps, such as a sign-in that waits: nothing is stored before it comes back.
"""
