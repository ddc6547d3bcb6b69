"""Starting the daemon, and nothing that it does not need: Typer and what that loads are a third of its memory."""

# ruff: noqa: PLC0415 all commands know of this module, and only one runs the daemon

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lzsyncd.cli.output import is_terminal
from lzsyncd.errors import ExitCode, LzsyncdError

DEFAULT_CONFIG = Path("/etc/lzsyncd/lzsyncd.toml")
ENVIRONMENT = "LZSYNCD_CONFIG"


def plain_run(arguments: Sequence[str]) -> Path | None:
    """The configuration, where the command line is `[--config FILE] run`, as systemd has it; else None."""
    match [*arguments]:
        case ["run"]:
            return Path(os.environ.get(ENVIRONMENT) or DEFAULT_CONFIG)
        case ["--config", file, "run"]:
            return Path(file)
    return None


def run_daemon(path: Path) -> ExitCode:
    """Run the daemon until it is told to end, or can't go on. All that is said is the log, from the first line on."""
    from lzsyncd import logs
    from lzsyncd.config import load

    pretty = is_terminal(sys.stdout)
    logs.configure(sys.stdout, pretty=pretty)
    logs.tell_all()
    try:
        config = load(path)
        logs.reconfigure(config.log.level, config.log.file)
        from lzsyncd.service.daemon import serve

        serve(config, lambda: load(path), pretty=pretty)
    except LzsyncdError as error:
        logs.tell(error, "daemon_failed")
        return error.exit_code
    except Exception as error:  # noqa: BLE001 a traceback would be no line of the log
        logs.logger().critical("The daemon failed.", exc_info=error, **{"event.action": "daemon_failed"})
        return ExitCode.FAILED
    return ExitCode.CLEAN
