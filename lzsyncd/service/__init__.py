"""The daemon: when sites are due, and who does the work."""
