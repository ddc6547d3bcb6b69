"""The program `lzsyncd`, also `python -m lzsyncd`: every way it may end, as a sentence and an exit code."""

# ruff: noqa: PLC0415 what only commands need, or only a failure, is loaded then: the daemon stays small

import os
import sys
from collections.abc import Sequence

from lzsyncd.cli.daemon import plain_run, run_daemon
from lzsyncd.cli.output import ReaderGone, flush, is_terminal, note, prepare
from lzsyncd.errors import ExitCode, LzsyncdError

INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: of the command line, without the program's name; None for those the program was started with.

    Returns:
        The exit code.
    """
    prepare()
    code = _run(list(sys.argv[1:] if arguments is None else arguments))
    flush()
    return code


def _run(arguments: list[str]) -> int:
    try:
        code = _command(arguments)
    except LzsyncdError as error:
        return _told(error)
    except ReaderGone:
        return ExitCode.CLEAN
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:  # noqa: BLE001 the last place: whatever it is becomes a sentence and an exit code
        return _unexpected(error)
    if code == INTERRUPTED:
        note("lzsyncd: interrupted.")
    return int(code or ExitCode.CLEAN)


def _command(arguments: list[str]) -> int | None:
    """Any command, as the command line's library reads it; the daemon does without that."""
    if (config := plain_run(arguments)) is not None:
        return run_daemon(config)
    import typer
    from typer.exceptions import TyperException
    from typer.main import get_command

    from lzsyncd.cli.app import app

    try:
        code: int | None = get_command(app).main(args=arguments, prog_name="lzsyncd", standalone_mode=False)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "lzsyncd"
        note(f"lzsyncd: {error.format_message()}\nTry: {path} --help")
        return ExitCode.USAGE
    except typer.Abort:
        return INTERRUPTED
    return code


def _told(error: LzsyncdError) -> int:
    if os.environ.get("JOURNAL_STREAM"):
        from lzsyncd import logs

        if logs.goes_to_journal(sys.stderr):  # part of a unit, as check-config is of a reload: what it says is the log
            logs.configure(sys.stderr, pretty=False)
            logs.tell(error, "command_failed")
            return error.exit_code
    text = str(error)
    note(text if error.exit_code is ExitCode.CONFIGURATION else f"lzsyncd: {text}")
    return error.exit_code


def _unexpected(error: Exception) -> int:
    """What nobody foresaw: without the values that a database or a file system puts into its texts."""
    from lzsyncd import logs
    from lzsyncd.sync.ending import describe, translate

    told = translate(error)
    if isinstance(told, LzsyncdError):
        return _told(told)
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        note(f"lzsyncd: {error.strerror or type(error).__name__}{place}.")
        return ExitCode.NO_PERMISSION if isinstance(error, PermissionError) else ExitCode.FAILED
    logs.configure(sys.stderr, pretty=is_terminal(sys.stderr))
    logs.logger().error("The command failed.", exc_info=error, **{"event.action": "command_failed"})
    note(f"lzsyncd: it failed with {describe(error)} The log above says where.")
    return ExitCode.FAILED


if __name__ == "__main__":
    sys.exit(main())
