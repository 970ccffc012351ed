"""The keyring: random, versioned keys, one line of them per purpose, sealed in the database by the root secret.

Every MAC and every sealed value names its key, so keys can be rotated while old values still open. Whoever has the
database but not the root secret has none of the keys; whoever has the root secret but not the database has none either.
"""
