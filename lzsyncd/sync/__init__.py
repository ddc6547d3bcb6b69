"""One run: read, check, plan, apply, report. `run.py` reads top to bottom on one screen."""
