"""Owns address claims: registrations that wait until somebody proves the address.

Each registration is a claim of its own, with the password and the name that came with it, and only its own link or
code makes them count (L10). So a stranger who registers somebody's address again can neither replace the password nor
spoil the link of who registered first. A claim on an address that is taken is kept as well and can never be redeemed:
then nothing that is answered later depends on whether the address was taken (L16).
"""
