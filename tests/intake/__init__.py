"""Tests of how a set comes in."""
