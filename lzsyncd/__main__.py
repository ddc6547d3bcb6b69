"""The program `lzsyncd`, also `python -m lzsyncd`."""

import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from lzsyncd.cli.app import app
from lzsyncd.cli.output import close_quietly, is_terminal, note, prepare
from lzsyncd.errors import ExitCode, LzsyncdError

INTERRUPTED = 130  # what a shell says of a program that was ended by Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: of the command line, without the program's name; None for those the program was started with.

    Returns:
        The exit code.
    """
    prepare()
    code = _run(sys.argv[1:] if arguments is None else arguments)
    close_quietly()
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        code = get_command(app).main(args=list(arguments), prog_name="lzsyncd", standalone_mode=False)
    except TyperException as error:  # before LzsyncdError: the usage comes with it
        error.show()
        return ExitCode.USAGE
    except LzsyncdError as error:
        return _told(error)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:  # noqa: BLE001 the last place: whatever it is becomes a sentence and an exit code
        return _unexpected(error)
    if code == INTERRUPTED:
        note("\nlzsyncd: interrupted.")
    return int(code or ExitCode.CLEAN)


def _told(error: LzsyncdError) -> int:
    text = str(error)
    note(text if error.exit_code is ExitCode.CONFIGURATION else f"lzsyncd: {text}")
    return error.exit_code
