"""A million bars: what queries return, and how little of the table they read for it."""

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

START = datetime(2026, 11, 2, 14, 30, tzinfo=timezone.utc)
ONE_MINUTE = "window_start >= '2026-11-02 15:00:00' AND window_start < '2026-11-02 15:01:00'"


def share(client: Any, query: str) -> float:
    """Return the share of the table's granules that a query reads."""
    (answer,) = client.query(f"EXPLAIN json = 1, indexes = 1 {query}").result_rows
    indexes = [index for node in _nodes(json.loads(answer[0])) for index in node["Indexes"]]
    return float(indexes[-1]["Selected Granules"] / indexes[0]["Initial Granules"])


def _nodes(plan: Any) -> Iterator[dict[str, Any]]:
    if isinstance(plan, dict):
        if "Indexes" in plan:
            yield plan
        for value in plan.values():
            yield from _nodes(value)
    elif isinstance(plan, list):
        for value in plan:
            yield from _nodes(value)


def test_the_table_has_the_million(filled: Any) -> None:
    assert filled.query("SELECT count(), uniq(symbol) FROM stock_aggregates").result_rows == [
        (1_000_000, 100)
    ]
    granules = filled.command(
        "SELECT sum(marks) FROM system.parts WHERE active AND table = 'stock_aggregates'"
        " AND database = currentDatabase()"
    )
    assert granules > 100  # or the shares below would prove nothing


def test_one_symbol_and_a_time_read_a_granule_or_two(filled: Any) -> None:
    query = f"""
        SELECT count(), min(open), max(close), sum(volume)
        FROM stock_aggregates FINAL WHERE symbol = 'SYM7' AND {ONE_MINUTE}
    """
    assert filled.query(query).result_rows == [(60, 100.0, 160.0, 600.0)]
    assert share(filled, query) < 0.02


def test_a_time_alone_reads_little_through_the_projection(filled: Any) -> None:
    query = f"SELECT count(), sum(volume) FROM stock_aggregates WHERE {ONE_MINUTE}"
    assert filled.query(query).result_rows == [(6_000, 60_000.0)]
    assert share(filled, query) < 0.03
    without = f"{query} SETTINGS optimize_use_projections = 0"
    assert share(filled, without) > 0.9


def test_bars_between_reads_as_little(filled: Any) -> None:
    query = """
        SELECT count(), uniq(symbol), sum(volume)
        FROM bars_between(since = '2026-11-02 15:00:00', until = '2026-11-02 15:01:00')
    """
    assert filled.query(query).result_rows == [(6_000, 100, 60_000.0)]
    assert share(filled, query) < 0.03


def test_ohlc_of_one_symbol_reads_as_little(filled: Any) -> None:
    query = """
        SELECT start, open, high, low, close, vwap, volume, bars FROM ohlc(interval = 300)
        WHERE symbol = 'SYM7' AND start >= '2026-11-02 15:00:00' AND start < '2026-11-02 15:05:00'
    """
    start = datetime(2026, 11, 2, 15, 0)  # noqa: DTZ001 - the client returns UTC so
    ((found, *figures),) = filled.query(query).result_rows
    assert found.replace(tzinfo=None) == start
    assert figures == [100.0, 259.0, 11.0, 160.0, 120.0, 3_000.0, 300]
    assert share(filled, query) < 0.03


def test_latest_price(filled: Any) -> None:
    rows = filled.query("SELECT * FROM latest_price WHERE symbol = 'SYM7'").result_rows
    ((market, symbol, price, day_volume, _),) = rows
    # The last second is number 9,999 of the symbol.
    assert (market, symbol, price, day_volume) == ("stocks", "SYM7", 101 + 9_999 % 60, 100_000.0)


def test_rollups_of_the_million(filled: Any) -> None:
    refresh(filled)
    minutes = filled.query("SELECT count(), sum(volume), sum(bars) FROM minute_bars FINAL")
    assert minutes.result_rows == [(16_700, 10_000_000.0, 1_000_000)]  # 166 and a part, 100 symbols
    hours = filled.query("SELECT count(), sum(volume), sum(bars) FROM hour_bars FINAL")
    assert hours.result_rows == [(400, 10_000_000.0, 1_000_000)]  # 14:30 to 17:16
    for table, seconds in (("minute_bars", 60), ("hour_bars", 3600)):
        columns = "market, symbol, event_type, start, open, high, low, close, vwap, volume, bars"
        different = filled.query(
            f"SELECT {columns} FROM {table} FINAL"
            f" EXCEPT SELECT {columns} FROM ohlc(interval = {seconds})"
        )
        assert different.result_rows == []


@pytest.mark.parametrize("event_type", ["A", "AM"])
def test_bars_of_seconds_and_minutes_are_not_added_up(migrated: Any, event_type: str) -> None:
    add(migrated, "A", "2026-11-02 15:00:01", 10, 5)
    add(migrated, "A", "2026-11-02 15:00:02", 11, 7)
    add(migrated, "AM", "2026-11-02 15:00:00", 11, 12)
    refresh(migrated)
    query = f"SELECT volume, close FROM minute_bars FINAL WHERE event_type = '{event_type}'"
    assert migrated.query(query).result_rows == [(12.0, 11.0)]


def test_a_bar_that_comes_again_replaces_the_earlier_one_everywhere(migrated: Any) -> None:
    for second, close, volume in ((1, 10, 5), (2, 11, 7), (3, 12, 9)):
        add(migrated, "A", f"2026-11-02 15:00:0{second}", close, volume)
    refresh(migrated)
    assert totals(migrated) == [(21.0, 12.0)] * 4
    add(migrated, "A", "2026-11-02 15:00:03", 12, 9)  # the same again, after a crash of the sink
    refresh(migrated)
    assert totals(migrated) == [(21.0, 12.0)] * 4
    add(migrated, "A", "2026-11-02 15:00:03", 99, 100)  # corrected
    add(migrated, "A", "2026-11-02 15:00:01", 10, 6)  # an earlier one, corrected later
    refresh(migrated)
    assert totals(migrated) == [(113.0, 99.0)] * 4
    assert migrated.command("SELECT price FROM latest_price") == 99
    migrated.command("OPTIMIZE TABLE stock_aggregates FINAL")
    assert migrated.command("SELECT count() FROM stock_aggregates") == 3
    assert totals(migrated) == [(113.0, 99.0)] * 4


def test_a_bar_healed_long_after_gets_into_its_rollups(migrated: Any) -> None:
    add(migrated, "A", "2026-08-03 15:00:01", 10, 5)
    add(migrated, "A", "2026-11-02 15:00:01", 20, 5)
    refresh(migrated)
    add(migrated, "A", "2026-08-03 15:00:02", 11, 7)
    refresh(migrated)
    query = "SELECT start, volume, close FROM {} FINAL ORDER BY start"
    for table in ("minute_bars", "hour_bars"):
        rows = migrated.query(query.format(table)).result_rows
        assert [row[1:] for row in rows] == [(12.0, 11.0), (5.0, 20.0)]
    assert migrated.command("SELECT price FROM latest_price") == 20


def test_prices_without_volume_have_no_vwap(migrated: Any) -> None:
    add(migrated, "A", "2026-11-02 15:00:01", 10, 0)
    rows = migrated.query("SELECT vwap, close FROM ohlc(interval = 60)").result_rows
    assert rows == [(None, 10.0)]


def add(client: Any, event_type: str, start: str, close: float, volume: float) -> None:
    """Insert one bar, as the sink would."""
    row = {
        "event_type": event_type, "market": "stocks", "symbol": "AAPL", "window_start": start,
        "open": close, "high": close, "low": close, "close": close, "volume": volume,
    }  # fmt: skip
    client.raw_insert("stock_aggregates", insert_block=json.dumps(row), fmt="JSONEachRow")


def refresh(client: Any) -> None:
    """Refresh the rollups now, as ClickHouse does once a minute."""
    for view in ("minute_bars_refresh", "hour_bars_refresh"):
        client.command(f"SYSTEM REFRESH VIEW {view}")
        client.command(f"SYSTEM WAIT VIEW {view}")


def totals(client: Any) -> list[tuple[float, float]]:
    """Return volume and last price of the one hour by each way to read it."""
    query = "SELECT sum(volume), argMax(close, {1}) FROM {0}"
    between = "bars_between(since = '2026-11-02 15:00:00', until = '2026-11-02 16:00:00')"
    sources = {
        "stock_aggregates FINAL": "window_start",
        between: "window_start",
        "minute_bars FINAL": "start",
        "hour_bars FINAL": "start",
    }
    return [client.query(query.format(*each)).result_rows[0] for each in sources.items()]
