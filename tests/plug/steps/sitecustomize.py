"""Finds the steps of a program that outlast it, and stops it before one. Only on the path of programs under test.

LZSYNCD_STEPS is a JSON object: with `record` the place of each step goes to that file, a line each; with `place` and
`call` the process stops itself (SIGSTOP) before the so-and-so-manieth step of that place. A place is a function of
lzsyncd and what it does there: a rename, a statement, an fsync, something said to a mail server. Nobody names them by
hand, so that a new one can't be forgotten.
"""

import json
import os
import re
import signal
import sys
from collections import Counter

FILES = {"os.rename": "rename", "os.remove": "unlink", "os.mkdir": "mkdir", "os.rmdir": "rmdir"}
WRITES = os.O_WRONLY | os.O_RDWR
CHANGE = re.compile(
    r"\b(INSERT INTO|UPDATE|DELETE FROM|(?:CREATE|DROP|ALTER) (?:UNIQUE )?(?:TABLE|INDEX))\s+"
    r'(?:IF (?:NOT )?EXISTS\s+)?"?((?:lz_|sync_|lzsyncd_)\w+)'
)
BELOW = ("lzsyncd.zone.database", "lzsyncd.zone.dialect", "lzsyncd.zone.schema", "lzsyncd.errors", "lzsyncd.zone.brake")


class Steps:
    """Hears of each step."""

    def __init__(self, record="", place="", call=1):
        self.place, self.call, self.calls, self.busy = place, call, Counter(), False
        self.log = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if record else None

    def take(self, what):
        where = None if self.busy else self.where()
        if where is None:
            return
        self.busy = True
        place = f"{where}: {what}"
        self.calls[place] += 1
        if self.log is not None:
            os.write(self.log, f"{os.getpid()} {place}\n".encode())
        elif place == self.place and self.calls[place] == self.call:
            os.kill(os.getpid(), signal.SIGSTOP)
        self.busy = False

    def where(self):
        """The innermost function of lzsyncd that is not only the way to the database."""
        frame = sys._getframe(2)
        while frame is not None:
            name = frame.f_globals.get("__name__", "")
            if name.startswith("lzsyncd.") and name not in BELOW:
                if frame.f_code.co_qualname == "<module>":
                    return None  # it is being imported
                return f"{name.removeprefix('lzsyncd.')}.{frame.f_code.co_qualname}"
            frame = frame.f_back
        return None

    # -- what is a step

    def hear(self, event, arguments):
        if event in FILES:
            self.take(FILES[event])
        elif event == "open":
            path, _, flags = arguments
            if not isinstance(path, int) and (flags or 0) & WRITES and os.fspath(path) != os.devnull:
                self.take("write")
        elif event == "smtplib.send":
            said = arguments[1] if isinstance(arguments[1], bytes) else str(arguments[1]).encode()
            verb = re.match(rb"(ehlo|helo|mail|rcpt|data|rset|quit|starttls)\b", said, re.IGNORECASE)
            self.take(f"to the mail server, {verb[0].decode().upper() if verb else 'the mail'}")

    def sql(self, text):
        if text.strip().upper() == "COMMIT":
            self.take("COMMIT")
        elif found := CHANGE.search(text):
            self.take(f"{found[1]} {found[2]}")


def _watch(steps):
    import peewee  # noqa: PLC0415 where nothing is asked for, nothing is loaded

    from lzsyncd.zone.database import Database  # noqa: PLC0415 as above

    fsync, execute, by_peewee = os.fsync, Database._execute, peewee.Database.execute_sql

    def synced(handle):
        steps.take("fsync")
        fsync(handle)

    def executed(self, text, parameters):
        steps.sql(text)
        return execute(self, text, parameters)

    def executed_by_peewee(self, sql, *arguments, **named):
        steps.sql(sql)
        return by_peewee(self, sql, *arguments, **named)

    os.fsync, Database._execute, peewee.Database.execute_sql = synced, executed, executed_by_peewee
    sys.addaudithook(steps.hear)


if os.environ.get("LZSYNCD_STEPS"):
    _watch(Steps(**json.loads(os.environ["LZSYNCD_STEPS"])))
