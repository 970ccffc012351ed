"""Tests of the executor, the statements and the migrations."""
