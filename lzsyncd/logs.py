"""The log: one JSON object a line, Elastic's names, a closed list of keys (CONTRACT section 9).

Our own events come through structlog, those of libraries through the standard library; one renderer writes both. It
never raises: a log that fails must not take the run with it. No value of a file comes here (law 8).
"""

import logging
import os
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, TextIO

from lzsyncd import __version__
from lzsyncd.errors import LzsyncdError
from lzsyncd.lean import without
from lzsyncd.logfile import LogFile
from lzsyncd.logkeys import ACTIONS, KEYS
from lzsyncd.logline import MAX_CODES, MAX_LINE, as_json, as_text, shaped, told

# It draws tracebacks with rich, where that is to be had. We never do: 9 MiB and a tenth of a second in each process.
with without("rich"):
    import structlog
    from structlog.typing import EventDict, WrappedLogger

__all__ = [
    "ACTIONS",
    "KEYS",
    "MAX_CODES",
    "MAX_LINE",
    "Level",
    "configure",
    "goes_to_journal",
    "logger",
    "reconfigure",
    "tell",
    "tell_all",
]

ECS_VERSION = "8.11.0"
MAX_TOLD = 50  # sentences of one failure
Level = Literal["debug", "info", "warning", "error", "critical"]

_Render = Callable[[WrappedLogger, str, EventDict], str]


def configure(
    stream: TextIO, *, pretty: bool, level: Level = "info", file: Path | None = None, shown: Level | None = None
) -> None:
    """Send the log to a stream, from now on, and to a file.

    Args:
        stream: where to.
        pretty: readable text instead of JSON; the file has JSON always.
        level: what is less is left out; of what libraries say, what is less than a warning always is: they log values.
        file: where to besides, None for nowhere.
        shown: what is less is left out on the stream only.
    """
    sink = logging.StreamHandler(stream)
    sink.setFormatter(_formatter(_pretty(colour=_is_colourful(stream)) if pretty else _render_json))
    sink.setLevel((shown or "debug").upper())
    root = logging.getLogger()
    for old in root.handlers:
        if isinstance(old, LogFile):
            old.close()
    root.handlers[:] = [sink]
    root.setLevel(logging.WARNING)
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
    reconfigure(level, file)


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


def reconfigure(level: Level, file: Path | None) -> None:
    """Leave out what is less, and write to this file, from now on."""
    logging.getLogger("lzsyncd").setLevel(level.upper())
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, LogFile)]:
        if old.path == file:
            return
        root.removeHandler(old)
        old.close()
    if file is not None:
        sink = LogFile(file, _file_failed)
        sink.setFormatter(_formatter(_render_json))
        root.addHandler(sink)


def _file_failed(text: str) -> None:
    logger().error(text, **{"event.action": "log_file_failed"})


def logger() -> structlog.stdlib.BoundLogger:
    """The program's own log: `logger().info("A sentence.", **{"event.action": "a_name"})`."""
    return structlog.stdlib.get_logger("lzsyncd")


def _formatter(render: _Render) -> "TotalFormatter":
    return TotalFormatter(
        processors=[_complete, render],
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name],
    )


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
    return {**event, **told(error)}


class TotalFormatter(structlog.stdlib.ProcessorFormatter):
    """A formatter that does not fail: an event it can't write becomes one that says so."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of the log."""
        try:
            return super().format(record)
        except Exception:  # noqa: BLE001 a log line is never worth a run
            level = record.levelname.lower()
            lost = {"level": level, "event": "A log line could not be written.", "logger": record.name}
            return as_json(_complete(None, level, {**lost, "event.action": "log_render_failed"}))


def _render_json(_logger: WrappedLogger | None, _method: str, event: EventDict) -> str:
    return as_json(event)


def _pretty(*, colour: bool) -> _Render:
    def render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
        return as_text(shaped(event), colour=colour)

    return render


def _is_colourful(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR")
