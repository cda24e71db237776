"""A process hears its signals, and comes to an end whatever it is doing."""

import signal
import subprocess
import sys
from threading import Event

import pytest
from polygon_streaming.process import signals
from polygon_streaming.process.heartbeat import Heartbeat


@pytest.mark.parametrize("heartbeat", [Heartbeat(), None])
def test_a_stop_that_takes_too_long_is_cut_short(heartbeat: Heartbeat | None) -> None:
    ended: list[int] = []
    stop = Event()
    stop.set()
    signals.end_if_stuck("filter", stop, heartbeat, 0.1, ended.append)
    assert ended == [1]


_IN_A_CALL_THAT_DOES_NOT_RETURN = """
import ctypes, sys
from polygon_streaming.process import signals
signals.guard("filter", signals.stop_on_signal(), stop_seconds=0.1)
libc, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)
libc.pthread_mutex_init(lock, None)
libc.pthread_mutex_lock(lock)
print("stuck", flush=True)
libc.pthread_mutex_lock(lock)
"""


def test_sigterm_is_heard_in_a_call_that_does_not_return() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _IN_A_CALL_THAT_DOES_NOT_RETURN],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "stuck\n"
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert said.startswith("polygon-stream filter: a call has not returned")
