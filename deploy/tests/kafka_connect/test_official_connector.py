"""The official connector, with the shipped configuration, between Apache Kafka and ClickHouse.

It is in no package registry (Maven Central, PyPI, npm and Debian were asked), only on GitHub and on
Confluent's hub, so it must be fetched by hand: `MISSING` says how.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from deploy.clickhouse.statements import migrations
from deploy.tests.kafka_connect.clickhouse_over_http import ClickHouseOverHttp
from deploy.tests.kafka_connect.records import as_row, values
from deploy.tests.kafka_connect.worker import CONFIGS, Worker, fetch_jars
from integration_tests.kafka.kafka_broker import Broker
from integration_tests.kafka.kafka_broker import fetch_jars as fetch_kafka

pytestmark = pytest.mark.kafka_tests

# That of the compose stack.
VERSION = (
    (CONFIGS.parent / "compose" / "connect.Dockerfile")
    .read_text()
    .rsplit("clickhouse-kafka-connect:", 1)[1]
    .strip()
)
MISSING = (
    "CLICKHOUSE_SINK_JARS is not set. Unpack https://github.com/ClickHouse/clickhouse-kafka-connect"
    f"/releases/download/{VERSION}/clickhouse-kafka-connect-{VERSION}.zip into an empty folder, "
    "and give its path in CLICKHOUSE_SINK_JARS."
)

FILTERED, GAPS = "custom_filtered_stock_data_topic", "polygon_stream_gaps"
DEAD, REFUSED = "polygon_stream_dead_letter", "polygon_stream_sink_dead_letter"
GAP = {
    "market": "stocks", "from": "2026-11-02 14:31:00.000", "to": "2026-11-02 14:31:07.500",
    "reason": "disconnected: dropped", "certain": True, "subscriptions": ["A.AAPL", "A.MSFT"],
    "feed": "stocks 1/1",
}  # fmt: skip


@pytest.fixture(scope="module")
def plugins() -> Path:
    named = os.environ.get("CLICKHOUSE_SINK_JARS")
    if not named:
        pytest.skip(MISSING)
    folder = Path(named).resolve()
    assert any(folder.glob("*/**/*.jar")), f"CLICKHOUSE_SINK_JARS: no jar in a folder of {folder}"
    return folder


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseOverHttp]:
    with ClickHouseOverHttp(tmp_path_factory.mktemp("clickhouse")) as front:
        front.command("CREATE DATABASE market")
        front.command("USE market")
        for migration in migrations():
            for statement in migration.statements:
                front.command(statement)
        yield front


@pytest.fixture(scope="module")
def kafka(plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    fetch_kafka()
    with Broker(tmp_path_factory.mktemp("kafka")) as broker:
        broker.create(FILTERED, GAPS, DEAD, REFUSED)
        yield broker


@pytest.fixture(scope="module")
def worker(
    kafka: Broker,
    plugins: Path,
    clickhouse: ClickHouseOverHttp,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Worker]:
    fetch_jars()
    variables = {
        "CLICKHOUSE_HOST": "127.0.0.1", "CLICKHOUSE_PORT": str(clickhouse.port),
        "CLICKHOUSE_SSL": "false", "CLICKHOUSE_DATABASE": "market",
        "CLICKHOUSE_USER": "default", "CLICKHOUSE_PASSWORD": "no-password-is-checked",
    }  # fmt: skip
    directory = tmp_path_factory.mktemp("connect")
    with Worker(directory, kafka.address, plugins, variables) as running:
        yield running


def shipped(name: str) -> dict[str, Any]:
    """Return a shipped configuration, for one broker instead of three."""
    content: dict[str, Any] = json.loads((CONFIGS / f"{name}.json").read_text())
    if "errors.deadletterqueue.topic.name" in content["config"]:
        content["config"]["errors.deadletterqueue.topic.replication.factor"] = "1"
    return content


def until(condition: Callable[[], bool], worker: Worker, connector: str) -> None:
    deadline = time.monotonic() + 45
    while not condition():
        assert worker.failures(connector) == []
        assert time.monotonic() < deadline, worker.log()[-3000:]
        time.sleep(0.2)


def in_transaction(kafka: Broker, records: list[tuple[str, bytes]], commit: bool) -> None:
    producer = Producer({"bootstrap.servers": kafka.address, "transactional.id": "filter"})
    producer.init_transactions(30)
    producer.begin_transaction()
    for key, value in records:
        producer.produce(FILTERED, value, key)
    if commit:
        producer.commit_transaction(30)
    else:
        producer.flush(30)
        producer.abort_transaction(30)


def test_every_column_of_every_record_arrives_and_nothing_uncommitted(
    kafka: Broker, worker: Worker, clickhouse: ClickHouseOverHttp
) -> None:
    wanted = values(2_000)
    in_transaction(kafka, [("ABORTED", wanted[0][1])], commit=False)
    in_transaction(kafka, wanted, commit=True)
    producer = Producer({"bootstrap.servers": kafka.address})
    producer.produce(GAPS, json.dumps(GAP), "stocks")
    producer.flush(30)
    config = shipped("clickhouse-sink")
    worker.ask("/connectors", "POST", config)

    def count(table: str) -> int:
        return int(clickhouse.rows(f"SELECT count() AS n FROM market.{table}")[0]["n"])

    until(lambda: count("stock_aggregates") >= 2_000, worker, config["name"])
    until(lambda: count("gaps") == 1, worker, config["name"])
    assert count("stock_aggregates") == 2_000
    rows = clickhouse.rows(
        "SELECT * EXCEPT ingested_at FROM market.stock_aggregates"
        " SETTINGS output_format_json_quote_64bit_floats = 0"
    )
    key = json.dumps
    assert sorted(map(key, map(normal, rows))) == sorted(key(as_row(v)) for _, v in wanted)
    (gap,) = clickhouse.rows("SELECT * EXCEPT ingested_at FROM market.gaps")
    assert gap == GAP


def normal(row: dict[str, Any]) -> dict[str, Any]:
    return {k: float(v) if type(v) is int else v for k, v in row.items()}


def test_an_insert_that_fails_for_a_while_is_repeated(
    kafka: Broker, worker: Worker, clickhouse: ClickHouseOverHttp
) -> None:
    clickhouse.refuse = 2
    late = [(key, value.replace(b"2026-11-02", b"2026-11-03")) for key, value in values(500)]
    in_transaction(kafka, late, commit=True)
    query = "SELECT count() AS n FROM market.stock_aggregates WHERE window_start >= '2026-11-03'"
    until(
        lambda: int(clickhouse.rows(query)[0]["n"]) == 500,
        worker,
        shipped("clickhouse-sink")["name"],
    )
    assert clickhouse.refuse == 0


def test_what_clickhouse_cannot_read_goes_to_the_dead_letter_queue(
    kafka: Broker, worker: Worker, clickhouse: ClickHouseOverHttp
) -> None:
    bad = b'{"event_type":"A","market":"stocks","symbol":"BAD","window_start":"yesterday"}'
    in_transaction(kafka, [("BAD", bad)], commit=True)
    consumer = Consumer(
        {"bootstrap.servers": kafka.address, "group.id": "look", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([REFUSED])
    found: list[Any] = []

    def arrived() -> bool:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            found.append(message)
        return bool(found)

    until(arrived, worker, shipped("clickhouse-sink")["name"])
    consumer.close()
    assert found[0].value() == bad
    headers = dict(found[0].headers())
    assert headers["__connect.errors.topic"] == FILTERED.encode()


def test_dead_letters_arrive_as_they_are(
    kafka: Broker, worker: Worker, clickhouse: ClickHouseOverHttp
) -> None:
    producer = Producer({"bootstrap.servers": kafka.address})
    producer.produce(DEAD, b'{"ev":"A","no json', partition=2)
    producer.flush(30)
    config = shipped("clickhouse-dead-letters")
    worker.ask("/connectors", "POST", config)
    query = "SELECT topic, partition, offset, value FROM market.dead_letters"
    until(lambda: bool(clickhouse.rows(query)), worker, config["name"])
    assert clickhouse.rows(query) == [
        {"topic": DEAD, "partition": 2, "offset": 0, "value": '{"ev":"A","no json'}
    ]


def test_the_password_is_in_no_answer_and_no_log(worker: Worker) -> None:
    answer = worker.ask(f"/connectors/{shipped('clickhouse-sink')['name']}")
    assert answer["config"]["password"] == "${env:CLICKHOUSE_PASSWORD}"
    assert "no-password-is-checked" not in worker.log()
