"""Accounts: who exists, under which identifiers, in which state. `load_active` is the one gate (L03)."""
