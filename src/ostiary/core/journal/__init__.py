"""The journal: every security event as a row, in the same transaction as the change it reports. Never a secret."""
