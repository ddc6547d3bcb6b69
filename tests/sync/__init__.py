"""Tests of what becomes of a set."""
