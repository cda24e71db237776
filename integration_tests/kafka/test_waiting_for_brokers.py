"""Brokers that are away for longer than any timeout: filter and sink wait, and say so."""

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import urllib3

from integration_tests.kafka.kafka_broker import Broker
from integration_tests.kafka.kafka_cluster import Peer, cluster, restart
from integration_tests.kafka.stages import (
    COMMAND,
    Stage,
    end_of,
    lag,
    produce_numbers,
    volumes,
    wait_until,
)
from integration_tests.servers import free_ports

pytestmark = pytest.mark.kafka_tests

# Above the session (45 s), the transaction's timeout (30 s) and the guard (45 s).
_OUTAGE_SECONDS = 55


class Chain:
    """Numbers that flow, a filter and a sink that carry them."""

    def __init__(
        self, address: str, topics: dict[str, str], folder: Path, total: int = 60_000
    ) -> None:
        self.address = address
        self.topics = topics
        self.raw, self.filtered = topics["raw_topic"], topics["filtered_topic"]
        self.total = total
        self.ports = free_ports(2)
        self._folder = folder
        self.start_filter()
        self.sink = Stage(
            folder / "sink", "sink", bootstrap_servers=address, filtered_topic=self.filtered,
            trades_topic=topics["trades_topic"], quotes_topic=topics["quotes_topic"],
            group=f"sink-{self.raw}", clickhouse=f"chdb:{folder / 'db'}",
            http_port=self.ports[1], log_format="json",
        )  # fmt: skip
        numbers = range(1, self.total + 1)
        self.feeding = Thread(
            target=produce_numbers, args=(address, self.raw, numbers, 1_000), daemon=True
        )
        self.feeding.start()
        wait_until(lambda: end_of(address, self.filtered) > 1_000, 60, "the filter works")
        self.wait_for_readiness(60)

    def start_filter(self) -> None:
        """Start the filter, as an orchestrator would."""
        self.filter = Stage(
            self._folder / "filter", "filter", **self.topics, group=f"filter-{self.raw}",
            transactional_id=f"filter-{self.raw}-1", http_port=self.ports[0], log_format="json",
        )  # fmt: skip

    def ready(self) -> list[str]:
        """Return what filter and sink say of being ready."""
        return [_get(port, "/readyz") for port in self.ports]

    def wait_for_readiness(self, seconds: float) -> None:
        """Wait until both are ready, and fail with what they say instead."""
        until = time.monotonic() + seconds
        while (said := self.ready()) != ["ok", "ok"]:
            assert self.filter.running, self.filter.log()[-3000:]
            assert self.sink.running, self.sink.log()[-3000:]
            assert time.monotonic() < until, f"not ready in {seconds} s: {said}"
            time.sleep(0.1)

    def live(self) -> list[str]:
        """Return what filter and sink say of being alive."""
        return [_get(port, "/healthz") for port in self.ports]

    def finish(self) -> None:
        """Wait until everything is through and count it."""
        address, raw, filtered = self.address, self.raw, self.filtered
        self.feeding.join()
        wait_until(lambda: lag(address, raw, f"filter-{raw}") == 0, 120, "the filter is through")
        # The markers that end transactions count as records to be read.
        wait_until(lambda: lag(address, filtered, f"sink-{raw}") <= 4, 60, "the sink is through")
        assert self.filter.stop() == 0
        assert self.sink.stop() == 0
        assert volumes(address, filtered) == Counter(range(1, self.total + 1))


def _get(port: int, path: str) -> str:
    url = f"http://127.0.0.1:{port}{path}"
    try:
        return urllib3.request("GET", url, retries=False, timeout=5).data.decode().strip()
    except urllib3.exceptions.HTTPError as error:
        return f"does not answer: {error}"


def _doctor(address: str, topics: dict[str, str]) -> str:
    flags = [f"--{name.replace('_', '-')}={topic}" for name, topic in topics.items()]
    done = subprocess.run(
        [COMMAND, "doctor", f"--bootstrap-servers={address}", *flags],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return next(line for line in done.stdout.splitlines() if line.split()[1:2] == ["kafka"])


def test_an_outage_of_all_brokers_is_waited_for(
    broker: Broker, topics: dict[str, str], tmp_path: Path
) -> None:
    chain = Chain(broker.address, topics, tmp_path)
    lines = [len(stage.log().splitlines()) for stage in (chain.filter, chain.sink)]
    broker.kill()
    died = time.monotonic()
    silent = "kafka: the brokers have not answered for"
    wait_until(lambda: all(silent in said for said in chain.ready()), 20, "both say so")
    time.sleep(_OUTAGE_SECONDS - (time.monotonic() - died))
    assert all(silent in said for said in chain.ready())
    # A health check that failed would have them killed, which mends nothing.
    assert chain.live() == ["ok", "ok"]
    for stage, before in zip((chain.filter, chain.sink), lines, strict=True):
        assert len(stage.log().splitlines()) - before < 20
    broker.start()
    chain.wait_for_readiness(120)
    chain.finish()


def test_a_stop_during_an_outage_is_heard(
    broker: Broker, topics: dict[str, str], tmp_path: Path
) -> None:
    chain = Chain(broker.address, topics, tmp_path, total=15_000)
    broker.kill()
    time.sleep(8)
    began = time.monotonic()
    statuses = chain.filter.stop(), chain.sink.stop()
    took = time.monotonic() - began
    broker.start()
    assert took < 30
    assert set(statuses) <= {0, 1}
    chain.start_filter()
    chain.feeding.join()
    raw = topics["raw_topic"]
    wait_until(lambda: lag(broker.address, raw, f"filter-{raw}") == 0, 60, "all is read")
    assert chain.filter.stop() == 0
    assert volumes(broker.address, chain.filtered) == Counter(range(1, chain.total + 1))


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[Peer]]:
    with cluster(tmp_path / "cluster") as brokers:
        yield brokers


def test_an_outage_of_two_brokers_of_three_needs_no_hand(three: list[Peer], tmp_path: Path) -> None:
    address = ",".join(broker.address for broker in three)
    kinds = ("raw", "filtered", "trades", "quotes", "dead_letter", "gaps")
    three[0].create(*kinds, copies=3)
    topics = {f"{kind}_topic": kind for kind in kinds}
    chain = Chain(address, {"bootstrap_servers": address, **topics}, tmp_path)
    for node in three[:2]:
        node.kill()
    died = time.monotonic()
    # The last one answers all the while, and repeats in its metadata what was true before.
    silent = "kafka: the brokers have not answered for"
    wait_until(lambda: all(silent in said for said in chain.ready()), 30, "both say so")
    assert "not all leaders of partitions answer" in _doctor(address, topics)
    assert chain.live() == ["ok", "ok"]
    time.sleep(max(0.0, _OUTAGE_SECONDS - (time.monotonic() - died)))
    restart(three[:2])

    def well() -> bool:
        # The library may give a transaction up that it cannot end: a supervisor starts it again.
        if not chain.filter.running:
            chain.start_filter()
        return chain.filter.running and lag(address, "raw", "filter-raw") == 0

    chain.feeding.join()
    wait_until(well, 120, "the filter is through")
    chain.finish()


def test_a_sink_without_its_topic_says_so_and_begins_with_it(
    broker: Broker, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    name = f"late-{tmp_path.name}"
    others = [f"{name}-trades", f"{name}-quotes"]
    broker.create(*others)
    sink = Stage(
        tmp_path / "sink", "sink", bootstrap_servers=broker.address, filtered_topic=name,
        trades_topic=others[0], quotes_topic=others[1], group=name,
        clickhouse=f"chdb:{tmp_path / 'db'}", http_port=port, log_format="json",
    )  # fmt: skip
    missing = f"kafka: the topic {name} is missing. Create it"
    wait_until(lambda: missing in sink.log(), 30, "the log says so")
    assert missing in _get(port, "/readyz")
    broker.create(name)
    wait_until(lambda: _get(port, "/readyz") == "ok", 30, "the sink has its partitions")
    assert sink.log().count(f'"problem": "{missing}') == 1
    assert sink.stop() == 0
