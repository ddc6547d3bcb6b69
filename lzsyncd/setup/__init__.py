"""Putting lzsyncd on a machine: units, accounts and folders, and what a new site needs.

Everything is a list of steps, and each knows whether it is done already: what a dry run shows is what a real one does.
"""
