"""Tests of changing and recovering passwords."""
