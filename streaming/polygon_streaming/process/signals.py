"""How a process is told to stop, and what ends it when it does not."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Final

from polygon_streaming.process.heartbeat import Heartbeat

# Beyond what any call to brokers or ClickHouse may take.
_STUCK_SECONDS: Final = 45.0
# Container platforms kill after 20 to 30 s; a stop in order takes a second or two.
_STOP_SECONDS: Final = 18.0


def stop_on_signal() -> Event:
    """Return an event that SIGINT and SIGTERM set, whatever the main thread is waiting for.

    Python runs handlers in the main thread, between two of its own instructions: not while that
    thread is in a call of librdkafka. The byte of the wake-up descriptor is written at once.
    """
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.detach())

    def wait() -> None:
        reader.recv(1)
        stop.set()

    Thread(target=wait, name="signals", daemon=True).start()
    return stop


def guard(
    stage: str,
    stop: Event,
    heartbeat: Heartbeat | None = None,
    stop_seconds: float = _STOP_SECONDS,
) -> None:
    """End the process if it no longer goes round, or does not stop in time; watched by a thread."""
    given = (stage, stop, heartbeat, stop_seconds)
    Thread(target=end_if_stuck, args=given, name="guard", daemon=True).start()


def end_if_stuck(
    stage: str,
    stop: Event,
    heartbeat: Heartbeat | None,
    stop_seconds: float = _STOP_SECONDS,
    end: Callable[[int], object] = os._exit,
) -> None:
    """Wait for the stop, and end the process if it does not come to its end by itself.

    What it had not committed is read again. `send_offsets_to_transaction` of librdkafka does not
    keep its timeout (its issue 5456), and nothing but the end of the process ends the call. While
    no broker answers that is not a fault: `BrokerWatch` beats meanwhile, so that the time counts
    from when they are back.

    Args:
        stage: its name, for what is said.
        stop: set when the process is to stop.
        heartbeat: of the stage; None where it beats none.
        stop_seconds: how long the stop may take.
        end: ends the process with an exit status, whatever its other threads do.
    """
    while not stop.wait(1):
        if heartbeat is not None and heartbeat.stuck_seconds() >= _STUCK_SECONDS:
            _say(f"{stage}: it has not gone on for {_STUCK_SECONDS:.0f} s. Start it again.")
            end(1)
    time.sleep(stop_seconds)
    _say(
        f"{stage}: a call has not returned within {stop_seconds:.0f} s of the stop. Nothing is "
        "lost: the next start reads again what was not committed."
    )
    end(1)


def _say(words: str) -> None:
    sys.stderr.write(f"polygon-stream {words}\n")
    sys.stderr.flush()
