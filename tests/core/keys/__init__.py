"""Tests of the root secret and the keyring."""
