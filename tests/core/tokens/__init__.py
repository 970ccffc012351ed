"""Tests of tokens below HTTP."""
