"""What a contender takes: CPU of all threads of its process, and of the main one among them.

Only the standard library, for contenders that run in a venv of their own.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


class Meter:
    """Counts from the first call of `start` on."""

    def __init__(self) -> None:
        self._began = 0.0

    def start(self) -> None:
        """Start, the first time."""
        if not self._began:
            self._cpu, self._main = _cpu_seconds(), _main_seconds()
            self._began = time.monotonic()

    def report(self, events: int) -> None:
        """Print what it took."""
        spent = {
            "cpu_seconds": _cpu_seconds() - self._cpu,
            "main_seconds": _main_seconds() - self._main,
            "seconds": time.monotonic() - self._began,
        }
        sys.stdout.write(json.dumps({"events": events, **spent}) + "\n")
        sys.stdout.flush()


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _main_seconds() -> float:
    """Return the CPU of the main thread, where Python runs; the rest is librdkafka's."""
    fields = Path(f"/proc/self/task/{os.getpid()}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
