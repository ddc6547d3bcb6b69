"""Whatever wants the daemon's loop wakes it, and nothing that happens while it falls asleep is slept over."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from lzsyncd.service.bell import FULL, Bell

LONG, SOON = 60.0, 30.0  # seconds


@pytest.fixture
def _signals() -> Iterator[None]:
    """SIGUSR2 has a handler, and what wakes at signals is forgotten again."""
    before = signal.signal(signal.SIGUSR2, lambda *_: None)
    yield
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGUSR2, before)


def slept(bell: Bell) -> float:
    began = time.monotonic()
    bell.wait(LONG)
    return time.monotonic() - began


def test_it_wakes_from_another_thread_and_before_the_sleep():
    bell = Bell()
    threading.Timer(0.05, bell.ring).start()
    assert slept(bell) < SOON
    bell.ring()
    assert slept(bell) < SOON


@pytest.mark.usefixtures("_signals")
def test_a_signal_wakes_it_also_one_that_comes_before_the_sleep():
    bell = Bell()
    bell.ring_at_signals()
    os.kill(os.getpid(), signal.SIGUSR2)
    assert slept(bell) < SOON
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR2)).start()
    assert slept(bell) < SOON


def test_it_can_be_rung_more_often_than_anybody_listens_and_is_heard_once():
    bell = Bell()
    for _ in range(FULL + 1):
        bell.ring()
    assert slept(bell) < SOON
    began = time.monotonic()
    bell.wait(0.05)
    assert time.monotonic() - began >= 0.04
