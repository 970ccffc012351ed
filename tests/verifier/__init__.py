"""Tests of the verifier, against issuers that listen on a real port."""
