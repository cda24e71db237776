"""Records by the page: the same messages as one by one, before the same states."""

import json
import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models.airbyte_protocol_serializers import ConfiguredAirbyteCatalogSerializer
from source_polygon.engine.output import in_pages, page_of
from source_polygon.run import Entrypoint
from source_polygon.source import SourcePolygon

from unit_tests.connector.syncing import KEYS, Row, Syncs, catalog

# Flat files are read both ways in test_flat_files: the sandbox would make a month of them here.
STREAMS = [name for name in KEYS if not name.startswith("flat_")]
SYMBOLS = ["AAPL", "MSFT"]


def printed(syncs: Syncs, folder: Path, *streams: str, **overrides: Any) -> list[Row]:
    """Return the messages that the command prints for a read."""
    config, chosen = syncs.config(**overrides), catalog(*streams)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "catalog.json").write_text(
        json.dumps(ConfiguredAirbyteCatalogSerializer.dump(chosen))
    )
    args = ["--config", str(folder / "config.json"), "--catalog", str(folder / "catalog.json")]
    source = SourcePolygon(chosen, config, syncs.state, output=in_pages)
    items = Entrypoint(source).output(Entrypoint.parse_args(["read", *args]))
    lines = "".join(f"{i}\n" if isinstance(i, str) else i.lines.decode() for i in items)
    return [json.loads(line) for line in lines.splitlines()]


def records(messages: Iterable[Row]) -> list[str]:
    """Return the records as texts that can be sorted, without the time of their emission."""
    found = [message["record"] for message in messages if message["type"] == "RECORD"]
    return sorted(json.dumps([r["stream"], r["data"]], sort_keys=True) for r in found)


def test_the_records_are_those_that_come_one_by_one(syncs: Syncs, tmp_path: Path) -> None:
    by_page = printed(syncs, tmp_path, *STREAMS, symbols=SYMBOLS)
    one_by_one = syncs.read(*STREAMS, symbols=SYMBOLS).messages
    assert records(by_page) == records(one_by_one)
    assert len(records(by_page)) > 1000
    (example, *_) = (m for m in by_page if m["type"] == "RECORD")
    (other, *_) = (m for m in one_by_one if m["type"] == "RECORD")
    assert example.keys() == other.keys()
    assert example["record"].keys() == other["record"].keys()


def test_states_count_the_records_before_them(syncs: Syncs, tmp_path: Path) -> None:
    counted: Counter[str] = Counter()
    since: Counter[str] = Counter()
    for message in printed(syncs, tmp_path, *STREAMS, symbols=SYMBOLS):
        if message["type"] == "RECORD":
            since[message["record"]["stream"]] += 1
        elif message["type"] == "STATE":
            stream = message["state"]["stream"]["stream_descriptor"]["name"]
            assert message["state"]["sourceStats"]["recordCount"] == since[stream]
            counted[stream] += since.pop(stream, 0)
    assert not +since
    assert set(counted) == set(STREAMS)


def test_each_stream_is_said_to_run_once(syncs: Syncs, tmp_path: Path) -> None:
    # Of the other no day is due: each is read weeks later.
    due = [name for name in STREAMS if name != "consumer_spending_eu_merchant_aggregates"]
    statuses = Counter(
        (m["trace"]["stream_status"]["stream_descriptor"]["name"], status)
        for m in printed(syncs, tmp_path, *due, symbols=SYMBOLS)
        if (status := m.get("trace", {}).get("stream_status", {}).get("status"))
    )
    assert statuses == {
        (stream, status): 1 for stream in due for status in ("STARTED", "RUNNING", "COMPLETE")
    }


def test_resuming_from_any_printed_state_misses_nothing(syncs: Syncs, tmp_path: Path) -> None:
    markets = ["stocks", "crypto"]
    messages = printed(syncs, tmp_path, "grouped_daily", markets=markets, num_workers=4)
    syncs.load(messages)
    whole = syncs.tables["grouped_daily"]
    cuts = [n for n, message in enumerate(messages, 1) if message["type"] == "STATE"]
    assert len(cuts) >= 15
    for cut in cuts:
        resumed = Syncs(syncs.sandbox)
        resumed.load(messages[:cut])
        resumed.read("grouped_daily", markets=markets, lookback_sessions=0)
        assert resumed.tables["grouped_daily"] == whole


@pytest.mark.parametrize(
    "value",
    ['"},{"type":"RECORD"', "line\nbreak", "ü", "{", "},{", "a:null", [{"a": 1}, {"a": 2}], {}],
)
def test_a_value_that_looks_like_a_message_stays_a_value(value: object) -> None:
    rows: list[Any] = [{"ticker": value}, {"ticker": "B", "vwap": None}]
    (record,) = in_pages("tickers", rows, None)  # type: ignore[arg-type]
    page = record.data[""]
    assert page.count == 2
    assert [json.loads(line)["record"]["data"] for line in page.lines.decode().splitlines()] == [
        {"ticker": value},
        {"ticker": "B"},
    ]


def test_only_pages_are_taken_for_pages(syncs: Syncs) -> None:
    config, chosen = syncs.config(), catalog("exchanges")
    source = SourcePolygon(chosen, config, [])
    messages = list(source.read(logging.getLogger("airbyte"), config, chosen, []))
    assert [page_of(message) for message in messages] == [None] * len(messages)
