"""The commands of the streaming package as processes, as the demo runs them."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

_STOP_SECONDS = 40
_HEAL_SECONDS = 600


@dataclass(slots=True)
class Stage:
    """One of the commands, under way."""

    name: str
    process: subprocess.Popen[bytes]
    port: int

    def metric(self, name: str, label: str = "") -> float:
        """Return the sum of a metric over its labels, or of those with `label` in them.

        It is 0 while it cannot be asked.
        """
        text = self._ask("metrics")
        found = re.findall(rf"^{name}({{.*?}})? (\S+)$", text, re.MULTILINE)
        return sum(float(value) for labels, value in found if label in labels)

    def is_ready(self) -> bool:
        """Tell whether it says so itself."""
        return bool(self._ask("readyz"))

    def stop(self) -> None:
        """End it in order.

        Raises:
            SystemExit: it ends with a status other than 0.
        """
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(_STOP_SECONDS):
            raise SystemExit(f"{self.name} ended with {self.process.returncode}; see its log.")

    def _ask(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=2) as page:
                return str(page.read().decode())
        except OSError:
            return ""


class Stages:
    """The commands of one demo; those that still run at its end are killed."""

    def __init__(self, directory: Path, address: str, key: str) -> None:
        """Say where logs go, where the brokers are, and which key the market takes."""
        self._directory = directory
        self._common = ["--bootstrap-servers", address]
        # A demo is not to be changed by settings that are around.
        clean = {k: v for k, v in os.environ.items() if not k.upper().startswith("POLYGON_")}
        self._environment = {**clean, "POLYGON_API_KEY": key}
        self._running: list[Stage] = []

    def __enter__(self) -> "Stages":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for stage in self._running:
            if stage.process.poll() is None:
                stage.process.kill()
            stage.process.wait()

    def start(self, name: str, *flags: Any) -> Stage:
        """Start a command that runs until it is stopped."""
        port = _free_port()
        with self._log(name).open("wb") as log:
            process = subprocess.Popen(
                [*self._command(name, flags), "--http-port", str(port)],
                stdout=log,
                stderr=log,
                env=self._environment,
            )
        stage = Stage(name, process, port)
        self._running.append(stage)
        return stage

    def heal(self, *flags: Any) -> str:
        """Heal what is recorded, and return what the command says of it.

        Raises:
            SystemExit: it failed, or left something out.
        """
        with self._log("heal").open("wb") as log:
            done = subprocess.run(
                self._command("heal", flags),
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment,
                timeout=_HEAL_SECONDS,
                check=False,
            )
        said = done.stdout.decode().strip()
        if done.returncode:
            raise SystemExit(f"heal ended with {done.returncode}; see heal.log. {said}")
        return said

    def check(self) -> None:
        """See that all that were started still run.

        Raises:
            SystemExit: one has ended by itself.
        """
        for stage in self._running:
            if stage.process.poll():
                raise SystemExit(f"{stage.name} ended early; see {self._log(stage.name)}.")

    def _command(self, name: str, flags: tuple[Any, ...]) -> list[str]:
        program = Path(sys.executable).with_name("polygon-stream")
        return [str(part) for part in (program, name, *self._common, *flags)]

    def _log(self, name: str) -> Path:
        return self._directory / f"{name}.log"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
