"""Tests of composing, sending and keeping mails."""
