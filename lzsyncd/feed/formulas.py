"""Cells that a spreadsheet would run as a formula (CWE-1236): disarmed in reject files, as they were when read back."""

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_DISARMED = re.compile(r"'+[=+\-@\t\r]")


def disarm(text: str) -> str:
    """A cell that no spreadsheet runs as a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def rearm(text: str) -> str:
    """The cell that `disarm` was given."""
    return text[1:] if _DISARMED.match(text) else text
