"""Tests of the stand-alone process."""
