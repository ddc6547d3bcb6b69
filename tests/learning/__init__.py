"""Audiences and learning."""
