"""Tests of the reader and of staging."""
