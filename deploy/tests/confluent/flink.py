"""Apache Flink on loopback, which runs SQL statements sent to its gateway."""

import json
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from integration_tests.kafka import maven
from integration_tests.servers import Server, free_ports

HERE = Path(__file__).parent
JARS = HERE.parents[2] / ".tmp" / "flink-jars"
_START_SECONDS = 60
_STATEMENT_SECONDS = 120


class Flink:
    """A gateway with one session; each statement runs in the same process."""

    def __init__(self, directory: Path) -> None:
        """Prepare it; its configuration and log will lie in `directory`.

        Raises:
            RuntimeError: java or mvn is missing, or Maven fails.
        """
        maven.fetch(HERE, JARS, "flink-sql-gateway-*.jar")
        self._directory = directory
        (self._port,) = free_ports(1)
        self._session = ""
        settings = {
            "execution.target": "local",
            "jobmanager.bind-host": "127.0.0.1",
            "parallelism.default": 1,
            "rest.bind-address": "127.0.0.1",
            "sql-gateway.endpoint.rest.address": "127.0.0.1",
            "sql-gateway.endpoint.rest.bind-address": "127.0.0.1",
            "sql-gateway.endpoint.rest.port": self._port,
            "table.dml-sync": "true",  # an INSERT answers when its bounded source is at its end
            "table.local-time-zone": "UTC",
        }
        (directory / "config.yaml").write_text(
            "".join(f"{name}: {value}\n" for name, value in settings.items())
        )

    def __enter__(self) -> "Flink":
        # Another zone than the session's, which alone shall count.
        command = ["java", "-Xmx1g", "-XX:TieredStopAtLevel=1", "-Duser.timezone=America/New_York"]
        command += ["-cp", f"{JARS}/*", "org.apache.flink.table.gateway.SqlGateway"]
        self._gateway = Server(
            command,
            self._directory / "log",
            variables={"FLINK_CONF_DIR": str(self._directory)},
            ends_on=signal.SIGKILL,
        )
        self._gateway.start(self._opened, _START_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gateway.end()

    def run(self, statement: str) -> list[list[Any]]:
        """Run one statement to its end; return its rows.

        Raises:
            AssertionError: Flink refuses it, or it fails or does not end.
        """
        path = f"/v1/sessions/{self._session}"
        operation = self._ask(f"{path}/statements", {"statement": statement})["operationHandle"]
        rows: list[list[Any]] = []
        deadline = time.monotonic() + _STATEMENT_SECONDS
        page = f"{path}/operations/{operation}/result/0"
        while page:
            answer = self._ask(page)
            rows += [row["fields"] for row in answer.get("results", {}).get("data", [])]
            page = answer.get("nextResultUri")
            if answer["resultType"] == "NOT_READY":
                assert time.monotonic() < deadline, self.log()[-3000:]
                time.sleep(0.1)
        return rows

    def log(self) -> str:
        """Return what Flink has logged."""
        return self._gateway.said()

    def _opened(self) -> bool:
        self._session = self._ask("/v1/sessions", {})["sessionHandle"]
        return True

    def _ask(self, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            lines = "\n".join(json.load(refused)["errors"]).splitlines()
            # Of Java's traces what went wrong, not where.
            message = "\n".join(line for line in lines if not line.startswith("\tat "))
            raise AssertionError(message) from None
