"""Feed, filter and sink as processes, between the sandbox's market and librdkafka's mock broker."""

import json
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

from confluent_kafka import Producer
from polygon_sandbox import StreamSandbox
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from integration_tests.kafka.stages import Stage
from integration_tests.servers import free_ports

LIST = "market,channel,symbol\nstocks,A,*\n"
RULES = "min_price: 1\n"
TOPICS = ("raw", "filtered", "dead_letter", "gaps")
_SECONDS = 60


class Stack:
    """The three stages, for as long as the `with` block lasts.

    Attributes:
        server: the vendor's place.
        listed: the subscription list.
        rules: the filter's rules.
        ports: where each stage serves its metrics.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.listed, self.rules = directory / "subscriptions.csv", directory / "rules.yaml"
        self.listed.write_text(LIST)
        self.rules.write_text(RULES)
        self.server = StreamSandbox([f"SYM{n}" for n in range(50)], 200, events_per_frame=20)
        self.ports = dict(zip(("feed", "filter", "sink"), free_ports(3), strict=True))
        self._stages: dict[str, Stage] = {}
        self._broker = Producer(
            {"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0}
        )
        for topic in TOPICS:
            self._broker.list_topics(topic, timeout=10)  # creates it
        (node,) = self._broker.list_topics(timeout=10).brokers.values()
        self._kafka = f"{node.host}:{node.port}"

    def __enter__(self) -> "Stack":
        self.server.__enter__()
        for name in ("sink", "filter", "feed"):
            self.start(name)
        self.until(lambda: self.value("sink", "polygon_sink_rows_total") > 0, "rows are inserted")
        for name in ("filter", "sink"):
            self.until(partial(self.exports, name, "polygon_consumer_lag_records"), f"{name}: lag")
        return self

    def __exit__(self, *_: object) -> None:
        for stage in self._stages.values():
            if stage.running:
                stage.kill()
        self.server.__exit__()

    def start(self, name: str) -> None:
        """Start a stage, again if it has ended."""
        flags: dict[str, dict[str, object]] = {
            "feed": {
                "feed": self.server.host,
                "tls": False,
                "subscriptions": self.listed,
                "reload_seconds": 1,
            },
            "filter": {"rules": self.rules, "reload_seconds": 1},
            "sink": {"clickhouse": f"chdb:{self._directory / 'table.chdb'}"},
        }
        self._stages[name] = Stage(
            self._directory / f"{name}.log",
            name,
            bootstrap_servers=self._kafka,
            http_port=self.ports[name],
            **{f"{topic}_topic": topic for topic in TOPICS},
            **flags[name],
        )

    def kill(self, name: str) -> None:
        """End a stage with kill -9."""
        self._stages[name].kill()

    def events(self, name: str) -> list[str]:
        """Return what a stage has logged, by the field `event`."""
        lines = self._stages[name].log().splitlines()
        return [str(json.loads(line)["event"]) for line in lines if line.startswith("{")]

    def scrape(self, name: str) -> list[Metric]:
        """Return what a stage exports now."""
        address = f"http://127.0.0.1:{self.ports[name]}/metrics"
        with urllib.request.urlopen(address, timeout=5) as page:
            return list(text_string_to_metric_families(page.read().decode()))

    def exports(self, name: str, series: str) -> bool:
        """Tell whether a stage exports a series of this name."""
        return any(s.name == series for family in self.scrape(name) for s in family.samples)

    def value(self, name: str, series: str) -> float:
        """Return the sum of a series over its labels; 0 while the stage cannot be asked."""
        try:
            families = self.scrape(name)
        except OSError:
            return 0.0
        return sum(s.value for family in families for s in family.samples if s.name == series)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for something; fail with its name, and the logs, if it does not come."""
        deadline = time.monotonic() + _SECONDS
        while not holds():
            logs = "".join(stage.log()[-1500:] for stage in self._stages.values())
            assert time.monotonic() < deadline, f"not within {_SECONDS} s: {what}\n{logs}"
            time.sleep(0.2)
