"""An event of the log as one line, of JSON or for people, whatever it holds: this can't fail, and never takes long.

No value of a file comes here (law 8); addresses are taken out all the same, and an exception is told without its text.
"""

import json
import re
import sys
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any, cast

from lzsyncd.errors import LzsyncdError
from lzsyncd.logkeys import KEYS

MAX_LINE = 16 * 1024  # bytes with the line break: container runtimes split longer ones, journald at 48 KiB
MAX_CODES = 20
MAX_FRAMES = 20
MAX_CAUSES = 10
MAX_NAME = 100  # characters of a code, or of a key that nobody knows
LOOKED_AT = 4 * MAX_LINE  # characters of a text; what is further on would not fit anyway
LONG = range(-(2**63), 2**63)  # what an index takes for an integer

LABEL = "labels."
FIRST = ("@timestamp", "log.level", "message", "ecs.version")
EVERYWHERE = ("service.name", "service.version", "process.pid")

_ADDRESS = re.compile(r"[^\s@<>\"'(]{1,100}@[\w-]{1,100}(?:\.[\w-]{1,100})+")
_UNFIT = re.compile("[\x00\ud800-\udfff]")  # no UTF-8; and rsyslog cuts texts off at NUL
_COLOURS = {"error": "\x1b[31m", "critical": "\x1b[31m", "warning": "\x1b[33m"}
_RESET = "\x1b[0m"


def as_json(event: Mapping[Any, Any]) -> str:
    """One line of JSON, without its line break."""
    return _fitted(shaped(event))


def as_text(known: Mapping[str, Any], *, colour: bool, with_date: bool = False) -> str:
    """A shaped event for people: when, how bad, what, then what else is known; frames go below."""
    level, moment = known.get("log.level", ""), str(known.get("@timestamp", ""))
    hidden = (*FIRST, *EVERYWHERE, "error.stack_trace")
    extra = " ".join(f"{key}={_short(known[key])}" for key in known if key not in hidden)
    when = f"{moment[:10]} {moment[11:19]}Z" if with_date else moment[11:19]
    head = f"{when} {level:7} {known.get('message', '')}"
    if colour and level in _COLOURS:
        head = f"{_COLOURS[level]}{head}{_RESET}"
    return "\n".join(part for part in (f"{head}  {extra}".rstrip(), known.get("error.stack_trace")) if part)


def _short(value: Any) -> str:
    return ",".join(f"{code}:{number}" for code, number in value.items()) if isinstance(value, dict) else str(value)


def shaped(event: Mapping[Any, Any]) -> dict[str, Any]:
    """The event with every key of its one type, the first four first; what does not fit becomes a label."""
    known: dict[str, Any] = dict.fromkeys(FIRST, "")
    labels: dict[str, str] = {}
    for key, value in event.items():
        fitting = _fitting(key, value)
        if fitting is not None:
            known[key] = fitting
        elif value is not None:
            name = _text(key).removeprefix(LABEL)[:MAX_NAME]  # read back it is cut at the same place
            labels[f"{LABEL}{name}"] = _text(value)
    return known | labels


def _fitting(key: Any, value: Any) -> Any:
    """The value as the key's type; None where it is not."""
    wanted = KEYS[key].type if isinstance(key, str) and key in KEYS else None
    if wanted is str and (isinstance(value, str) or key == "message"):
        return _text(value, from_end=key == "error.stack_trace")
    if wanted is int:
        return value if type(value) is int and value in LONG else None
    if wanted is dict and isinstance(value, dict):
        counted = [(code, number) for code, number in value.items() if type(number) is int and number in LONG]
        most = sorted(counted, key=lambda item: -item[1])[:MAX_CODES]
        return {_text(code)[:MAX_NAME]: number for code, number in most}
    return value if wanted is bool and type(value) is bool else None


def _text(value: Any, *, from_end: bool = False) -> str:
    """Anything as text that can be written; the last resort is the name of its type."""
    if not isinstance(value, str):
        try:
            value = str(value)
        except Exception:  # noqa: BLE001 it is somebody else's __str__
            value = f"<{type(value).__name__}>"
    text = value[-LOOKED_AT:] if from_end else value[:LOOKED_AT]
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", _ADDRESS.sub("[address]", text))


def _fitted(event: dict[str, Any]) -> str:
    """The event as a line that is not too long: the longest texts give way."""
    line = json.dumps(event, ensure_ascii=False)
    while len(line.encode()) >= MAX_LINE:
        longest = max((key for key in event if isinstance(event[key], str)), key=lambda key: len(event[key]))
        half = len(event[longest]) // 2
        is_trace = longest == "error.stack_trace"  # its end says most
        event[longest] = "…" + event[longest][-half:] if is_trace else event[longest][:half] + "…"
        event["log.truncated"] = True
        if len(event[longest]) <= 2:  # noqa: PLR2004 only numbers and names are left, and far too many of them
            event = {key: event[key] for key in FIRST} | {"log.truncated": True}
        line = json.dumps(event, ensure_ascii=False)
    return line


def told(error: object) -> dict[str, str]:
    """An exception without the values that texts and local variables hold: its type, and where it came from.

    Args:
        error: as the standard library's `exc_info`: an exception, what `sys.exc_info()` gives, or True for that.
    """
    if error is True:
        error = sys.exc_info()
    if isinstance(error, BaseException):
        error = (type(error), error, error.__traceback__)
    if not isinstance(error, tuple) or error[1] is None:
        return {}
    kind, value, trace = cast("tuple[type, BaseException, TracebackType | None]", error)
    found = {"error.type": kind.__name__}
    if isinstance(value, LzsyncdError):
        found["error.message"] = str(value)
    elif isinstance(value, OSError) and value.strerror:
        found["error.message"] = value.strerror
    found["error.stack_trace"] = "\n\n".join(_frames(value, trace))
    return found


def _frames(error: BaseException, trace: TracebackType | None) -> list[str]:
    """The last frames of an error and of what caused it, the first cause first: file, line, our own source."""
    parts: list[str] = []
    chain: BaseException | None = error
    while chain is not None and len(parts) < MAX_CAUSES:  # a chain may be a circle
        at = trace if chain is error else chain.__traceback__
        frames = traceback.format_list(traceback.extract_tb(at)[-MAX_FRAMES:])
        parts.insert(0, "".join(frames) + type(chain).__name__)
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    return parts
