"""A Prometheus that scrapes the stages; a minute of the shipped rules is two seconds to it."""

import json
import re
import signal
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from integration_tests.servers import Server, free_ports

_QUICKER = 30
_SECONDS = 60


class Prometheus:
    """Runs for as long as the `with` block lasts, with the shipped configuration and rules."""

    def __init__(self, directory: Path, shipped: Path, ports: dict[str, int]) -> None:
        """Prepare one; `shipped` holds its configuration, `ports` are the stages'."""
        directory.mkdir()
        config = yaml.safe_load((shipped / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        jobs = {job["job_name"]: job for job in config["scrape_configs"]}
        for name, port in ports.items():
            jobs.setdefault(name, {"job_name": name})["static_configs"] = [
                {"targets": [f"127.0.0.1:{port}"]}
            ]
        config["scrape_configs"] = list(jobs.values())
        for name in config["rule_files"]:
            (directory / name).write_text(_quicker((shipped / name).read_text()))
        self._config = directory / "prometheus.yml"
        self._config.write_text(yaml.safe_dump(config))
        (port,) = free_ports(1)
        self._address = f"127.0.0.1:{port}"
        self._server = Server(
            [
                "prometheus",
                f"--config.file={self._config}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address={self._address}",
            ],
            directory / "log",
            ends_on=signal.SIGKILL,
        )

    def __enter__(self) -> "Prometheus":
        self._server.start(lambda: self._ask("query?query=up"), _SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.end()

    def query(self, expression: str) -> list[Any]:
        """Return what an expression is now."""
        query = urllib.parse.urlencode({"query": expression})
        result: list[Any] = self._ask(f"query?{query}")["result"]
        return result

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that fire."""
        return [alert for alert in self._ask("alerts")["alerts"] if alert["state"] == "firing"]

    def firing(self, name: str, **labels: str) -> dict[str, Any]:
        """Wait until an alert with such labels fires, whatever else does, and return it."""
        wanted = {"alertname": name, **labels}.items()
        deadline = time.monotonic() + _SECONDS
        while True:
            for alert in self.alerts():
                if wanted <= alert["labels"].items():
                    return alert
            assert time.monotonic() < deadline, f"does not fire: {dict(wanted)}"
            time.sleep(0.5)

    def until_silent(self) -> None:
        """Wait until all alerts are over."""
        deadline = time.monotonic() + _SECONDS
        while left := self.alerts():
            assert time.monotonic() < deadline, f"still firing: {left}"
            time.sleep(0.5)

    def _ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self._address}/api/v1/{path}", timeout=5) as page:
            return json.load(page)["data"]


def _quicker(rules: str) -> str:
    """Return rules with minutes made seconds, so many times as short."""

    def seconds(minutes: str) -> str:
        return f"{int(minutes) * 60 // _QUICKER}s"

    rules = re.sub(r"\[(\d+)m\]", lambda found: f"[{seconds(found[1])}]", rules)
    rules = re.sub(r"for: (\d+)m$", lambda found: f"for: {seconds(found[1])}", rules, flags=re.M)
    young = "process_start_time_seconds < {}"
    return rules.replace(young.format(300), young.format(300 // _QUICKER))
