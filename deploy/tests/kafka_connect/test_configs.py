"""The configurations themselves, and real records through the insert that the connector makes."""

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.clickhouse.migrate import migrate
from deploy.clickhouse.statements import migrations
from deploy.tests.kafka_connect.records import as_row, values

CONFIGS = Path(__file__).parents[2] / "kafka-connect"
SELF_MANAGED = ["clickhouse-sink", "clickhouse-sink-exactly-once", "clickhouse-dead-letters"]
TABLES = {
    "custom_filtered_stock_data_topic": "stock_aggregates",
    "custom_filtered_trades_topic": "trades",
    "custom_filtered_quotes_topic": "quotes",
    "polygon_stream_gaps": "gaps",
}


def config(name: str) -> dict[str, str]:
    content = json.loads((CONFIGS / f"{name}.json").read_text())
    return dict(content["config"])


def pairs(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split(","))


@pytest.mark.parametrize("name", SELF_MANAGED)
def test_secrets_stay_in_the_environment_of_the_worker(name: str) -> None:
    given = config(name)
    assert given["password"] == "${env:CLICKHOUSE_PASSWORD}"
    assert given["username"] == "${env:CLICKHOUSE_USER}"
    properties = (CONFIGS / "worker.properties").read_text()
    assert "allowlist.pattern=^CLICKHOUSE_" in properties


@pytest.mark.parametrize("name", SELF_MANAGED)
def test_nothing_uncommitted_is_read(name: str) -> None:
    assert config(name)["consumer.override.isolation.level"] == "read_committed"
    assert "override.policy=All" in (CONFIGS / "worker.properties").read_text()


def test_each_topic_has_its_table() -> None:
    given = config("clickhouse-sink")
    assert pairs(given["topic2TableMap"]) == TABLES
    assert set(given["topics"].split(",")) == set(TABLES)


def test_the_variant_differs_by_its_guarantee_alone() -> None:
    usual, exact = config("clickhouse-sink"), config("clickhouse-sink-exactly-once")
    different = {key for key in usual.keys() | exact.keys() if usual.get(key) != exact.get(key)}
    assert different == {"exactlyOnce", "bufferCount", "zkPath", "zkDatabase"}


def test_an_insert_ends_before_its_task_counts_as_dead() -> None:
    given = config("clickhouse-sink")
    insert = int(given["clickhouseClientInsertTimeoutMs"])
    assert insert < int(given["consumer.override.max.poll.interval.ms"])


def test_confluents_own_takes_the_same_topics_and_holds_no_secret() -> None:
    given = config("confluent-cloud")
    assert given["connector.class"] == "ClickHouseSink"
    assert given["input.data.format"] == "JSON"
    assert set(given["topics"].split(",")) == set(TABLES)
    assert pairs(given["topic2TableMap"]) == TABLES
    assert given["password"] == "${CLICKHOUSE_PASSWORD}"


@pytest.fixture
def tables(engine: Any) -> Any:
    client = engine()
    client.command("CREATE DATABASE connector")
    client.command("USE connector")
    migrate(client, migrations(), None, lambda _: None)
    yield client
    client.command("DROP DATABASE connector")
    client.close()


def test_the_bytes_of_the_topic_arrive_in_every_column(tables: Any) -> None:
    """As the connector inserts: JSONEachRow without a column list, with its settings and ours."""
    wanted = [value for _, value in values(1_000)]
    tables.raw_insert(
        "stock_aggregates",
        insert_block=b"\n".join(wanted),
        fmt="JSONEachRow",
        settings={
            "input_format_skip_unknown_fields": "1",
            "async_insert": "0",
            **pairs(config("clickhouse-sink")["clickhouseSettings"]),
        },
    )
    printed = tables.raw_query(
        "SELECT * EXCEPT ingested_at FROM stock_aggregates FINAL", fmt="JSONEachRow"
    )
    found = [json.dumps(as_row(line)) for line in printed.splitlines()]
    assert sorted(found) == sorted(json.dumps(as_row(value)) for value in wanted)


def test_milliseconds_as_a_number_would_not_arrive(tables: Any) -> None:
    """Why the filter writes times as text: a bare integer is taken for seconds, silently."""
    row = b'{"event_type":"A","symbol":"X","window_start":1793629800000}'
    tables.raw_insert("stock_aggregates", insert_block=row, fmt="JSONEachRow")
    year = tables.command("SELECT toYear(window_start) FROM stock_aggregates")
    assert year != 2026
