"""Runs a command, counts its lines as they come, and says what it took."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

_USAGE: Final = Path(__file__).parents[1] / "usage.py"
_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class Measure:
    """One run: seconds of CPU (user and system) and of the clock, MiB at the peak, rows."""

    cpu: float
    wall: float
    peak: float
    rows: int

    def beyond(self, less: "Measure") -> "Measure":
        """Return what the rows took that `less` did not have; the peak stays."""
        return replace(
            self,
            cpu=self.cpu - less.cpu,
            wall=self.wall - less.wall,
            rows=self.rows - less.rows,
        )


def measured(
    command: list[str], folder: Path, mark: bytes, rows: int, says: bytes = b""
) -> Measure:
    """Run a command that reads so many rows, and check that it did.

    Args:
        command: the process to run, in `folder`.
        folder: of its files.
        mark: how a line begins that is a row; empty if all are, or if the only line is a count.
        rows: how many there must be.
        says: what is printed by a command that prints no rows, once all of them were read.
    """
    usage = folder / "usage.json"
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, str(_USAGE), str(usage), *command], cwd=folder, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout  # noqa: S101 - a pipe, as asked for
        lines, marked, last, told = 0, 0, b"", False
        while chunk := os.read(process.stdout.fileno(), _CHUNK):
            lines += chunk.count(b"\n")
            if mark:
                # A mark begins a line, so only one that the chunks cut apart can be lost.
                marked += (last[-len(mark) + 1 :] + chunk).count(mark)
            told |= bool(says) and says in chunk
            last = chunk
    wall = time.monotonic() - started
    if process.returncode:
        raise SystemExit(f"{command} failed with {process.returncode}")
    if says:
        found = rows if told else 0
    else:
        # `wc -l` counts the header too.
        found = marked if mark else int(last) - 1 if lines == 1 else lines
    if found != rows:
        raise SystemExit(f"{command} has {found:,} rows of {rows:,}")
    cpu, peak = json.loads(usage.read_text())
    return Measure(cpu, wall, peak, found)
