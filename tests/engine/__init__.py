"""Tests of the engine as a whole: settings, start, ribs."""
