"""Starting the daemon, and nothing that it does not need: Typer and what that loads are a third of its memory."""

# ruff: noqa: PLC0415 all commands know of this module, and only one runs the daemon

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lzsyncd.cli.output import is_terminal

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


def run_daemon(path: Path) -> None:
    """Run the daemon until it is told to end.

    Raises:
        ConfigError: the configuration is wrong.
        TryAgain: another daemon runs.
        NotPermitted: the runtime folder may not be written.
    """
    from lzsyncd import logs
    from lzsyncd.config import load

    config = load(path)
    pretty = is_terminal(sys.stdout)
    logs.configure(sys.stdout, pretty=pretty, level=config.log.level)
    from lzsyncd.service.daemon import serve

    serve(config, lambda: load(path), pretty=pretty)
