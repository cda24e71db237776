"""A Kafka Connect worker with the official connector, and its REST API."""

import json
import signal
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from integration_tests.kafka import maven
from integration_tests.servers import Server, free_ports

HERE = Path(__file__).parent
CONFIGS = HERE.parents[1] / "kafka-connect"
JARS = HERE.parents[2] / ".tmp" / "connect-jars"
_START_SECONDS = 90


def fetch_jars() -> None:
    """Copy Connect's jars to where the worker looks for them, unless they are there."""
    maven.fetch(HERE, JARS, "connect-runtime-*.jar")


class Worker:
    """One worker on its own, configured by `deploy/kafka-connect/worker.properties`."""

    def __init__(
        self, directory: Path, brokers: str, plugins: Path, variables: dict[str, str]
    ) -> None:
        self._directory = directory
        self._variables = variables
        (self._port,) = free_ports(1)
        shipped = (CONFIGS / "worker.properties").read_text()
        changed = {
            "bootstrap.servers": brokers,
            "plugin.path": str(plugins),
            "listeners": f"http://127.0.0.1:{self._port}",
            "offset.storage.file.filename": str(directory / "offsets"),
            "offset.flush.interval.ms": "1000",
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
        }
        text = "\n".join(f"{name}={value}" for name, value in changed.items())
        (directory / "worker.properties").write_text(f"{shipped}\n{text}\n")

    def __enter__(self) -> "Worker":
        command = ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*"]
        command.append("org.apache.kafka.connect.cli.ConnectStandalone")
        self._server = Server(
            [*command, str(self._directory / "worker.properties")],
            self._directory / "worker.log",
            variables=self._variables,
            ends_on=signal.SIGKILL,
        )
        self._server.start(self._answers, _START_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.end()

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """Ask the REST API; return its answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refused:
            raise AssertionError(refused.read().decode()) from None

    def failures(self, connector: str) -> list[str]:
        """Return why tasks of a connector have failed."""
        tasks = self.ask(f"/connectors/{connector}/status")["tasks"]
        return [task["trace"] for task in tasks if task["state"] == "FAILED"]

    def log(self) -> str:
        """Return what the worker has logged."""
        return self._server.said()

    def _answers(self) -> bool:
        try:
            self.ask("/connectors")
        except AssertionError:  # up without its API yet
            return False
        return True
