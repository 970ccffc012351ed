"""Tests of WebAuthn's verification steps (S-C1 to S-C22)."""
