"""The filter as Flink SQL beside the filter itself: both on one topic of a real Kafka.

The statements are those of `deploy/confluent/flink`, on Apache Flink. What a test must add are the
tables, which Confluent Cloud makes of topics by itself.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Producer

from deploy.tests.confluent.flink import Flink
from deploy.tests.confluent.raw_events import (
    Raw,
    at_random,
    dropped,
    passing,
    refused_in_python_only,
)
from deploy.tests.confluent.raw_ticks import (
    dropped_ticks,
    passing_ticks,
    ticks_at_random,
    ticks_refused_in_python_only,
)
from integration_tests.kafka.kafka_broker import Broker, fetch_jars
from integration_tests.kafka.stages import Stage, lag, read_topic, wait_until

pytestmark = pytest.mark.kafka_tests

FOLDER = Path(__file__).parents[2] / "confluent" / "flink"
SQL = "".join(
    (FOLDER / f"{name}.sql").read_text() for name in ("tables", "bars", "trades", "quotes")
)
RAW = "polygon_stream_aggregates"
FILTERED = {
    "bars": "custom_filtered_stock_data_topic",
    "trades": "custom_filtered_trades_topic",
    "quotes": "custom_filtered_quotes_topic",
}
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
# Those of the three kinds, each by partition.
Output = dict[str, dict[int, list[Record]]]

GOOD, BAD = passing() | passing_ticks(), dropped() | dropped_ticks()
REFUSED = refused_in_python_only() | ticks_refused_in_python_only()


class Both(NamedTuple):
    """What came out of the statements and of the filter, and the cases of its dead letters."""

    sql: Output
    filter: Output
    letters: set[str]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    fetch_jars()
    with Broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="module")
def flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flink]:
    with Flink(tmp_path_factory.mktemp("flink")) as running:
        yield running


def statements() -> list[str]:
    """Return the statements; a semicolon that ends one is the last of its line."""
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


def through_sql(flink: Flink, kafka: Broker, raw: str, run: str) -> Output:
    """Filter a topic with the statements; return what came out."""
    topics = {kind: f"sql-{kind}-{run}" for kind in FILTERED}
    kafka.create(*topics.values())
    tables = {RAW: raw} | {FILTERED[kind]: topic for kind, topic in topics.items()}
    for name, topic in tables.items():
        flink.run(f"DROP TABLE IF EXISTS {name}")
        flink.run(TABLE.format(name=name, topic=topic, brokers=kafka.address))
    for statement in statements():
        flink.run(statement)
    return {kind: by_partition(kafka, topic) for kind, topic in topics.items()}


def through_python(
    kafka: Broker, raw: str, run: str, rules: Path, log: Path
) -> tuple[Output, set[str]]:
    """Filter a topic with the command; return what came out, and the cases of its dead letters."""
    topics = {kind: f"python-{kind}-{run}" for kind in FILTERED}
    dead = f"dead-{run}"
    kafka.create(*topics.values(), dead, f"gaps-{run}")
    stage = Stage(
        log,
        "filter",
        bootstrap_servers=kafka.address,
        raw_topic=raw,
        filtered_topic=topics["bars"],
        trades_topic=topics["trades"],
        quotes_topic=topics["quotes"],
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
    return {kind: by_partition(kafka, topic) for kind, topic in topics.items()}, letters


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


def by_case(found: Output, cases: Iterable[Raw]) -> dict[str, Any]:
    """Return the values of clean records by what was special about the raw ones."""
    known = {raw.received_ms: raw.case for raw in cases}
    partitions = [records for kind in found.values() for records in kind.values()]
    return {
        known.get(ms, f"random {ms}"): value for records in partitions for _, ms, value in records
    }


@pytest.fixture(scope="module")
def both(flink: Flink, kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Both:
    """What SQL and filter make of one topic with all there is."""
    folder = tmp_path_factory.mktemp("both")
    # The rules that the statements say they apply, from their first comments.
    rules = "\n".join(re.findall(r"^--   ( *\w+:.*)$", SQL, re.MULTILINE))
    assert rules.count("min_notional") == 2
    (folder / "rules.yaml").write_text(rules)
    kafka.create("raw")
    by_chance = [*at_random(3_000), *ticks_at_random(6_000)]
    produce(kafka, "raw", [*(GOOD | BAD | REFUSED).values(), *by_chance])
    wanted, letters = through_python(kafka, "raw", "same", folder / "rules.yaml", folder / "log")
    return Both(through_sql(flink, kafka, "raw", "same"), wanted, letters)


def test_each_record_is_the_one_that_the_filter_writes(both: Both) -> None:
    others = {raw.received_ms for raw in REFUSED.values()}
    # Partition, order, key, timestamp and every field.
    for kind, wanted in both.filter.items():
        assert both.sql[kind].keys() == wanted.keys(), kind
        for partition, records in wanted.items():
            found = [record for record in both.sql[kind][partition] if record[1] not in others]
            assert found == records, kind
        chance = by_case({kind: wanted}, [*GOOD.values()])
        assert sum(case.startswith("random") for case in chance) > 300, kind
    cases = by_case(both.filter, (GOOD | BAD | REFUSED).values())
    assert {case for case in cases if not case.startswith("random")} == set(GOOD)
    # What came by chance went every way, too.
    assert sum(case.startswith("random") for case in both.letters) > 300
    assert "no JSON" in both.letters


def test_no_field_is_parsed_more_often_than_it_is_named(flink: Flink, both: Both) -> None:
    del both  # for its tables
    for statement in statements():
        if not statement.startswith("INSERT"):
            continue
        named = Counter(re.findall(r"'\$\.(\w+)'", statement))
        ((plan,),) = flink.run(f"EXPLAIN {statement}")
        _, _, optimized = plan.partition("== Optimized Execution Plan ==")
        parsed = Counter(re.findall(r"'\$\.(\w+)'", optimized))
        assert parsed.keys() == named.keys()
        del parsed["ev"]  # by which events are chosen: asked for once a type
        assert parsed <= named, statement[:80]


def test_what_the_statements_say_they_do_not_do(both: Both) -> None:
    assert both.letters >= set(REFUSED)
    values = by_case(both.sql, (GOOD | BAD | REFUSED).values())
    assert values.keys() >= set(REFUSED)
    assert values["price in quotes"]["close"] == 501.5
    assert values["symbol that is a number"]["symbol"] == "7"
    assert values["optional text"]["vwap"] is None
    assert values["price of a trade in quotes"]["price"] == 501.5
    assert values["identifier that is a negative number"]["trade_id"] == "-7"
    assert values["exchange that is an object"]["exchange"] is None
