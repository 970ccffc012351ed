"""Tests of the feature tokens."""
