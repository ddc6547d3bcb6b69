"""The log: one JSON object a line, Elastic's names, a closed list of keys (CONTRACT section 9).

Our own events come through structlog, those of libraries through the standard library; one renderer writes both. It
never raises: a log that fails must not take the run with it. No value of a file comes here (law 8).
"""

import json
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, TextIO, cast

from lzsyncd import __version__
from lzsyncd.errors import LzsyncdError
from lzsyncd.lean import without

# It draws tracebacks with rich, where that is to be had. We never do: 9 MiB and a tenth of a second in each process.
with without("rich"):
    import structlog
    from structlog.typing import EventDict, WrappedLogger

KEYS: dict[str, type] = {
    "@timestamp": str,
    "log.level": str,
    "message": str,
    "ecs.version": str,
    "service.name": str,
    "service.version": str,
    "process.pid": int,
    "log.logger": str,
    "event.action": str,
    "event.outcome": str,
    "event.duration": int,  # nanoseconds
    "site": str,
    "run.id": str,
    "run.kind": str,
    "run.status": str,
    "set.hash": str,
    "plan.hash": str,
    "rows.read": int,
    "rows.rejected": int,
    "plan.create": int,
    "plan.update": int,
    "plan.unchanged": int,
    "plan.revive": int,
    "plan.remove": int,
    "findings.fatal": int,
    "findings.error": int,
    "findings.warning": int,
    "findings.by_code": dict,  # of integers
    "exit_code": int,
    "error.type": str,
    "error.message": str,
    "error.stack_trace": str,
    "log.truncated": bool,
}
"""Every key an event may have, with its one type for ever. Others become `labels.KEY`, text."""

ECS_VERSION = "8.11.0"
MAX_LINE = 16 * 1024  # bytes with the line break: container runtimes split longer ones, journald at 48 KiB
MAX_CODES = 20
MAX_FRAMES = 20
MAX_TOLD = 50  # sentences of one failure
Level = Literal["debug", "info", "warning", "error", "critical"]

_FIRST = ("@timestamp", "log.level", "message", "ecs.version")
_ADDRESS = re.compile(r"[^\s@<>\"'(]{1,100}@[\w-]{1,100}(?:\.[\w-]{1,100})+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_COLOURS = {"error": "\x1b[31m", "critical": "\x1b[31m", "warning": "\x1b[33m"}
_RESET = "\x1b[0m"


def configure(stream: TextIO, *, pretty: bool, level: Level = "info") -> None:
    """Send the log to a stream, from now on.

    Args:
        stream: where to.
        pretty: readable text instead of JSON.
        level: what is less is left out; of what libraries say, what is less than a warning always is: they log values.
    """
    render = _pretty(colour=stream.isatty() and not os.environ.get("NO_COLOR")) if pretty else render_json
    formatter = TotalFormatter(
        processors=[_complete, render],
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name],
    )
    sink = logging.StreamHandler(stream)
    sink.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [sink]
    root.setLevel(logging.WARNING)
    logging.getLogger("lzsyncd").setLevel(level.upper())
    logging.raiseExceptions = False  # a full disk under the log would print plain text into the JSON
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def tell_all() -> None:
    """Log what Python itself would print on standard error: failures that nobody caught, in any thread, and warnings.

    For processes whose output is the log and nothing else.
    """
    about = {"event.action": "not_foreseen", "event.outcome": "failure"}

    def caught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        text = str(error) if isinstance(error, LzsyncdError) else "Something failed that should not have."
        logger().critical(text, exc_info=(kind, error or kind(), trace), **about)

    sys.excepthook = caught
    threading.excepthook = lambda told: caught(told.exc_type, told.exc_value, told.exc_traceback)
    sys.unraisablehook = lambda told: caught(told.exc_type, told.exc_value, told.exc_traceback)
    logging.captureWarnings(capture=True)


def goes_to_journal(stream: TextIO) -> bool:
    """Whether the journal reads it: systemd.exec(5), JOURNAL_STREAM."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def tell(error: LzsyncdError, action: str) -> None:
    """Say what stands in the way: a line of the log for each sentence, of which a configuration may have many."""
    sentences = str(error).splitlines()
    if more := len(sentences[MAX_TOLD:]):
        sentences[MAX_TOLD:] = [f"And {more:,} more."]
    about = {"event.action": action, "event.outcome": "failure", "error.type": type(error).__name__}
    for text in sentences:
        logger().error(text, **about)


def set_level(level: Level) -> None:
    """Leave out what is less, from now on."""
    logging.getLogger("lzsyncd").setLevel(level.upper())


def logger() -> structlog.stdlib.BoundLogger:
    """The program's own log: `logger().info("A sentence.", **{"event.action": "a_name"})`."""
    return structlog.stdlib.get_logger("lzsyncd")


def _complete(_logger: WrappedLogger | None, _method: str, event: EventDict) -> EventDict:
    """An event with our names: who, when, how bad, and an exception as text."""
    record = event.pop("_record", None)
    event.pop("_from_structlog", None)
    error = event.pop("exc_info", None)
    name = event.pop("logger", None) or (record.name if record else None)
    event["@timestamp"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event["log.level"] = event.pop("level", "info")
    event["message"] = event.pop("event", "")
    event["ecs.version"] = ECS_VERSION
    event["service.name"] = "lzsyncd"
    event["service.version"] = __version__
    event["process.pid"] = os.getpid()
    if name and name != "lzsyncd":
        event["log.logger"] = name
    event.pop("stack_info", None)
    return {**event, **_told(error)}


def _told(error: object) -> dict[str, str]:
    """An exception without the values that texts and local variables hold: its type, and where it came from."""
    if error is True:
        error = sys.exc_info()
    if isinstance(error, BaseException):
        error = (type(error), error, error.__traceback__)
    if not isinstance(error, tuple) or error[1] is None:
        return {}
    kind, value, trace = cast("tuple[type, BaseException, TracebackType | None]", error)
    told = {"error.type": kind.__name__}
    if isinstance(value, LzsyncdError):
        told["error.message"] = str(value)
    elif isinstance(value, OSError) and value.strerror:
        told["error.message"] = value.strerror
    told["error.stack_trace"] = _frames(value, trace)
    return told


def _frames(error: BaseException, trace: TracebackType | None) -> str:
    """The last frames, as one text: file, line and our own source, no values."""
    text = "".join(traceback.format_list(traceback.extract_tb(trace)[-MAX_FRAMES:]))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is None:
        return text + type(error).__name__
    return f"{_frames(cause, cause.__traceback__)}\n\n{text}{type(error).__name__}"


class TotalFormatter(structlog.stdlib.ProcessorFormatter):
    """A formatter that does not fail: an event it can't write becomes one that says so."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of the log."""
        try:
            return super().format(record)
        except Exception:  # noqa: BLE001 a log line is never worth a run
            level = record.levelname.lower()
            lost = {"level": level, "event": "A log line could not be written.", "event.action": "log_render_failed"}
            return render_json(None, level, _complete(None, level, lost))


def render_json(_logger: WrappedLogger | None, _method: str, event: EventDict) -> str:
    """One line of JSON, whatever the event holds."""
    return _fitted(shaped(event))


def shaped(event: EventDict) -> dict[str, Any]:
    """The event with every key of its one type, the first four first; what does not fit becomes a label."""
    known: dict[str, Any] = dict.fromkeys(_FIRST, "")
    labels: dict[str, str] = {}
    for key, value in event.items():
        fitting = _fitting(key, value)
        if fitting is not None:
            known[key] = fitting
        elif value is not None:
            labels[f"labels.{key}"] = _clean(str(value))
    return known | labels


def _fitting(key: str, value: Any) -> Any:
    """The value as the key's type; None where it is not."""
    wanted = KEYS.get(key)
    if wanted is str and isinstance(value, str):
        return _clean(value)
    if wanted is dict and isinstance(value, dict):
        most = sorted(value.items(), key=lambda item: -item[1])[:MAX_CODES]
        return {_clean(str(code)): int(number) for code, number in most}
    return value if wanted is not None and type(value) is wanted else None


def _clean(text: str) -> str:
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _ADDRESS.sub("[address]", text))


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
            event = {key: event[key] for key in _FIRST} | {"log.truncated": True}
        line = json.dumps(event, ensure_ascii=False)
    return line


def _pretty(*, colour: bool) -> Callable[[WrappedLogger, str, EventDict], str]:
    def render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
        known = shaped(event)
        level = known["log.level"]
        trace = known.pop("error.stack_trace", "")
        extra = " ".join(f"{key}={known[key]}" for key in known if key not in (*_FIRST, *_EVERYWHERE))
        head = f"{known['@timestamp'][11:19]} {level:7} {known['message']}"
        if colour and level in _COLOURS:
            head = f"{_COLOURS[level]}{head}{_RESET}"
        return "\n".join(part for part in (f"{head}  {extra}".rstrip(), trace) if part)

    return render


_EVERYWHERE = ("service.name", "service.version", "process.pid")
