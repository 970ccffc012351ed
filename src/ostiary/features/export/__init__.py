"""Export: everything that is kept about an account, as one JSON document, for its owner.

Each part of ostiary says by a `Kept` what it keeps, and in which words; nothing secret is among it, nor the hash of
anything secret. It needs a fresh sign-in, is limited, and every proven address is told: whoever has taken over a
session would like to have it, too. The document is written while it is sent, so its length costs no memory.

GET /auth/account/export          page /account/export
"""
