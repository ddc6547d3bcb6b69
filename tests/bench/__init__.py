"""How fast a sync is, beside the least that the database itself must do for it: `python -m tests.bench`."""
