"""One daemon at a time, whoever looks whether there is one."""

import fcntl
import os
import threading
import time

import pytest

from lzsyncd.errors import TryAgain
from lzsyncd.service.instance import LOCK, Instance, published


def test_there_is_one_at_a_time(tmp_path):
    with Instance(tmp_path), pytest.raises(TryAgain, match="Another lzsyncd runs"), Instance(tmp_path):
        pass
    with Instance(tmp_path):
        pass


def test_what_it_says_is_there_as_long_as_it_runs(tmp_path):
    assert published(tmp_path) is None
    with Instance(tmp_path) as instance:
        instance.publish({"status": "idle"})
        assert published(tmp_path) == {"status": "idle"}
    assert published(tmp_path) is None


def test_what_a_killed_one_said_is_not_taken_for_true(tmp_path):
    with Instance(tmp_path) as instance:
        instance.publish({"status": "idle"})
        left = (tmp_path / "status.json").read_text()
    (tmp_path / "status.json").write_text(left)
    assert published(tmp_path) is None


def test_whoever_asks_for_the_status_does_not_keep_a_daemon_from_starting(tmp_path):
    handle = os.open(tmp_path / LOCK, os.O_RDONLY | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_SH)
    asking = threading.Thread(target=lambda: (time.sleep(0.05), os.close(handle)))
    asking.start()
    with Instance(tmp_path):
        asking.join()
