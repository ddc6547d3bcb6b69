"""A clock that is put forward, for real programs: run before lzsyncd is imported, it gives them the day they ask for.

The file that LZSYNCD_SOAK_CLOCK names holds the seconds by which they are ahead. Their monotonic clock is the real one.
"""

import datetime as dt
import os
import sqlite3
import time

_real, _time = dt.datetime, time.time
_FILE = os.environ["LZSYNCD_SOAK_CLOCK"]


def _ahead():
    handle = os.open(_FILE, os.O_RDONLY)
    try:
        return float(os.read(handle, 40))
    finally:
        os.close(handle)


class Later(_real):
    """The class that takes the place of `datetime.datetime`."""

    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)


# what one program pickles the other finds under this name
Later.__name__ = Later.__qualname__ = "datetime"
Later.__module__ = "datetime"
dt.datetime = Later
time.time = lambda: _time() + _ahead()
# sqlite3 goes by the class itself, and may have been imported before (by what measures coverage)
sqlite3.register_adapter(Later, lambda moment: moment.isoformat(" "))
