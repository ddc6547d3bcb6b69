"""Audiences and learning: rules of the configuration, who is in which audience, and what that assigns."""
