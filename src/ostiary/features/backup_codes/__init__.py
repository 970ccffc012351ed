"""Backup codes: ten codes on paper, each good once, for the day when the phone is lost.

They come along with the first second factor of an account and go with the last one; alone they are no factor. Each has
80 bits of chance and says by its first character which one it is, so that one hash is tried and not ten.

POST /auth/mfa/backup-codes   {backup_codes}: ten new ones; the old ones are worth nothing from then on
"""
