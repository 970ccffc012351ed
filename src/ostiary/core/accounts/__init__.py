"""Accounts: who exists, under which identifiers, in which state. `why_barred` is the one gate (L03)."""
