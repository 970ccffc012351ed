"""Tests of the revocation feed below HTTP."""
