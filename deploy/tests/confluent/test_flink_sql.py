"""The filter as Flink SQL beside the filter itself: both on one topic of a real Kafka.

The statements are those of `filter.flink.sql`, on Apache Flink. What a test must add are the two
tables, which Confluent Cloud makes of topics by itself.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from kafka_broker import Broker, fetch_jars
from stages import Stage, lag, read_topic, wait_until

from deploy.tests.confluent.flink import Flink
from deploy.tests.confluent.raw_events import (
    Raw,
    at_random,
    dropped,
    passing,
    refused_in_python_only,
)

pytestmark = pytest.mark.kafka_tests

SQL = (Path(__file__).parents[2] / "confluent" / "filter.flink.sql").read_text()
RAW, FILTERED = "polygon_stream_aggregates", "custom_filtered_stock_data_topic"
# A topic without a schema, as Confluent Cloud shows it.
TABLE = """
CREATE TABLE {name} (`key` BYTES, val BYTES) WITH (
    'connector' = 'kafka',
    'topic' = '{topic}',
    'properties.bootstrap.servers' = '{brokers}',
    'key.format' = 'raw',
    'key.fields' = 'key',
    'value.format' = 'raw',
    'value.fields-include' = 'EXCEPT_KEY',
    'scan.startup.mode' = 'earliest-offset',
    'scan.bounded.mode' = 'latest-offset'
)"""

# Key, timestamp and value of a record.
Record = tuple[str, int, Any]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    fetch_jars()
    with Broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="module")
def flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flink]:
    with Flink(tmp_path_factory.mktemp("flink")) as running:
        yield running


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The rules that the script says it applies, from its first comment."""
    text = "\n".join(re.findall(r"^--   (\w+: .*)$", SQL, re.MULTILINE))
    assert "min_notional: 10000" in text
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    return path


def statements() -> list[str]:
    """Return the script's statements; a semicolon that ends one is the last of its line."""
    code = re.sub(r"--.*$", "", SQL, flags=re.MULTILINE)
    return [statement.strip() for statement in code.split(";") if statement.strip()]


def produce(kafka: Broker, topic: str, records: Iterable[Raw]) -> None:
    producer = Producer({"bootstrap.servers": kafka.address, "partitioner": "murmur2_random"})
    refused: list[Any] = []
    for record in records:
        producer.produce(
            topic,
            record.value,
            record.key,
            headers=[*record.headers, ("case", record.case.encode())],
            timestamp=record.received_ms,
            on_delivery=lambda error, _: refused.append(error) if error else None,
        )
    assert producer.flush(30) == 0
    assert refused == []


def through_sql(flink: Flink, kafka: Broker, raw: str, run: str) -> dict[int, list[Record]]:
    """Filter a topic with the script; return what came out, by partition."""
    filtered = f"sql-{run}"
    kafka.create(filtered)
    for name, topic in ((RAW, raw), (FILTERED, filtered)):
        flink.run(f"DROP TABLE IF EXISTS {name}")
        flink.run(TABLE.format(name=name, topic=topic, brokers=kafka.address))
    for statement in statements():
        flink.run(statement)
    return by_partition(kafka, filtered)


def through_python(
    kafka: Broker, raw: str, run: str, rules: Path, log: Path
) -> tuple[dict[int, list[Record]], set[str]]:
    """Filter a topic with the command; return what came out, and the cases of its dead letters."""
    filtered, dead = f"python-{run}", f"dead-{run}"
    kafka.create(filtered, dead, f"gaps-{run}")
    stage = Stage(
        log,
        "filter",
        bootstrap_servers=kafka.address,
        raw_topic=raw,
        filtered_topic=filtered,
        dead_letter_topic=dead,
        gaps_topic=f"gaps-{run}",
        rules=rules,
        group=run,
        transactional_id=run,
        dead_letter_limit=0,
    )
    try:
        wait_until(
            lambda: not stage.running or lag(kafka.address, raw, run) == 0, 60, "all is filtered"
        )
        assert stage.stop() == 0, stage.log()
    finally:
        if stage.running:
            stage.kill()
    headers = [dict(message.headers() or ()) for message in read_topic(kafka.address, dead)]
    letters = {str(header["case"], "utf-8") for header in headers}  # type: ignore[arg-type]
    return by_partition(kafka, filtered), letters


def by_partition(kafka: Broker, topic: str) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = {}
    for message in read_topic(kafka.address, topic):
        record = (
            (message.key() or b"").decode(),
            message.timestamp()[1],
            json.loads(message.value() or b"null"),
        )
        found.setdefault(message.partition() or 0, []).append(record)
    return found


def by_case(records: dict[int, list[Record]], cases: Iterable[Raw]) -> dict[str, Any]:
    """Return the values of clean records by what was special about the raw ones."""
    known = {raw.received_ms: raw.case for raw in cases}
    found = [record for partition in records.values() for record in partition]
    return {known.get(ms, f"random {ms}"): value for _, ms, value in found}


def test_each_record_is_the_one_that_the_filter_writes(
    flink: Flink, kafka: Broker, rules: Path, tmp_path: Path
) -> None:
    kafka.create("raw-same")
    good, bad = passing(), dropped()
    produce(kafka, "raw-same", [*good.values(), *bad.values(), *at_random(3_000)])
    wanted, letters = through_python(kafka, "raw-same", "same", rules, tmp_path / "log")
    found = through_sql(flink, kafka, "raw-same", "same")

    # Partition, order, key, timestamp and every field.
    assert found == wanted
    chosen = by_case(wanted, [*good.values(), *bad.values()])
    assert {key for key in chosen if not key.startswith("random")} == set(good)
    # What came by chance went every way, too.
    assert sum(key.startswith("random") for key in chosen) > 300
    assert sum(key.startswith("random") for key in letters) > 300
    assert "no JSON" in letters


def test_what_the_script_says_it_does_not_do(
    flink: Flink, kafka: Broker, rules: Path, tmp_path: Path
) -> None:
    kafka.create("raw-other")
    records = refused_in_python_only()
    produce(kafka, "raw-other", records.values())
    wanted, letters = through_python(kafka, "raw-other", "other", rules, tmp_path / "log")
    assert wanted == {}
    assert letters == set(records)
    found = through_sql(flink, kafka, "raw-other", "other")
    values = by_case(found, records.values())
    assert set(values) == set(records)
    assert values["price in quotes"]["close"] == 501.5
    assert values["symbol that is a number"]["symbol"] == "7"
    assert values["optional text"]["vwap"] is None
