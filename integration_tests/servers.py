"""Servers in processes of their own: started, waited for, ended."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

S = TypeVar("S", bound="Server")


class Server:
    """A command that serves until it is ended; what it says goes into a log.

    It may be started again after it has ended; what it said before stays in the log.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        *,
        variables: Mapping[str, str] | None = None,
        folder: Path | None = None,
        ends_on: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Prepare a command.

        Args:
            command: a program and its arguments.
            log: what it says on either stream goes there.
            variables: of the environment, besides those of this process.
            folder: where it runs; None for here.
            ends_on: the signal that ends it at the end of a `with` block.
        """
        self.log = log
        self._command = command
        self._variables = variables or {}
        self._folder = folder
        self._ends_on = ends_on
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process; 0 before and after it."""
        return self._process.pid if self._process is not None else 0

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def said(self) -> str:
        """Return what it has said so far."""
        return self.log.read_text(errors="replace")

    def start(self, serves: Callable[[], object], seconds: float = 60) -> None:
        """Start it, and wait until it serves.

        Args:
            serves: tells whether it does; an OSError is a no as well.
            seconds: how long it may take.

        Raises:
            AssertionError: it does not, or has ended; with the end of its log.
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env={**os.environ, **self._variables},
            )
        deadline = time.monotonic() + seconds
        while not _true(serves):
            ended = not self.running
            if ended or time.monotonic() > deadline:
                self.end(signal.SIGKILL)
                what = "has ended" if ended else f"does not serve within {seconds:.0f} s"
                raise AssertionError(f"{self._command[0]} {what}:\n{self.said()[-3000:]}")
            time.sleep(0.1)

    def end(self, number: signal.Signals | None = None, seconds: float = 60) -> int | None:
        """Send a signal and wait for the end; return the exit status, None if it did not run."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(number or self._ends_on)
        try:
            return process.wait(seconds)
        finally:
            process.kill()
            process.wait()

    def __enter__(self: S) -> S:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def listens(port: int) -> bool:
    """Tell whether somebody takes connections on a port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _true(serves: Callable[[], object]) -> bool:
    try:
        return bool(serves())
    except OSError:
        return False
