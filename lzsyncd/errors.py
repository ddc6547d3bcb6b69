"""Why a command ends, as exit codes and exceptions (CONTRACT section 8)."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command tells its caller."""

    CLEAN = 0
    FAILED = 1
    USAGE = 2
    FINDINGS = 10
    HELD = 20
    REJECTED = 30
    NO_SET = 40
    TRY_AGAIN = 75
    NO_PERMISSION = 77
    CONFIGURATION = 78


class LzsyncdError(Exception):
    """Something stopped the work. The text says what, in one sentence, and names no value of a file."""

    exit_code = ExitCode.FAILED


class Usage(LzsyncdError):
    """The command was asked for something that is not there; asking again changes nothing."""

    exit_code = ExitCode.USAGE


class NoSet(LzsyncdError):
    """There is no set to sync."""

    exit_code = ExitCode.NO_SET


class TryAgain(LzsyncdError):
    """A lock is held or a database is away; the same command may work later."""

    exit_code = ExitCode.TRY_AGAIN


class NotPermitted(LzsyncdError):
    """A file or folder may not be read or written by this account."""

    exit_code = ExitCode.NO_PERMISSION


class BooksDoNotBalance(LzsyncdError):
    """The books of a run do not balance: a fault of lzsyncd. Nothing was applied."""
