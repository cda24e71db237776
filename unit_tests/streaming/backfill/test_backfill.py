"""Files into tables: by value, whole or not at all, as often as one likes."""

import os
import signal
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from polygon_sandbox import Sandbox
from polygon_streaming.backfill.directory import Directory
from polygon_streaming.backfill.kinds import KINDS, PREFIXES, datasets
from polygon_streaming.backfill.run import Backfill
from polygon_streaming.errors import StreamError
from polygon_streaming.gaps.series import stream_symbol
from polygon_streaming.settings import BackfillSettings

from unit_tests.streaming.flat_files import (
    BARS,
    TABLES,
    Connect,
    bars_key,
    left_behind,
    rows_of,
    run,
    write,
)

THURSDAY, FRIDAY = "2026-11-19", "2026-11-20"
WEEK = {"start": "2026-11-16", "end": FRIDAY}


def _symbol(market: str, ticker: str) -> str:
    # As REST writes it, without the hyphen of currencies and coins.
    rest = ticker.replace("-", "") if market in ("crypto", "forex") else ticker
    return stream_symbol(market, rest)


def _float(text: str | None) -> float | None:
    return float(text) if text else None


def _whole(text: str | None) -> int | None:
    return int(text) if text else None


def _bar(market: str, channel: str, row: dict[str, str]) -> tuple[Any, ...]:
    return (
        market, channel, _symbol(market, row["ticker"]), int(row["window_start"]),
        *(float(row[name]) for name in ("open", "high", "low", "close")),
        float(row.get("volume") or 0),
    )  # fmt: skip


def _instant(row: dict[str, str]) -> int:
    names = ("sip_timestamp", "timestamp", "participant_timestamp")
    return next(int(row[name]) for name in names if row.get(name))


def _trade(market: str, channel: str, row: dict[str, str]) -> tuple[Any, ...]:
    codes = [int(code) for code in row.get("conditions", "").split(",") if code]
    return (
        market, channel, _symbol(market, row["ticker"]), _instant(row),
        _whole(row.get("sequence_number")), row.get("id", ""), float(row["price"]),
        Decimal(row["size"]).normalize(), codes, _whole(row.get("correction")),
    )  # fmt: skip


def _quote(market: str, channel: str, row: dict[str, str]) -> tuple[Any, ...]:
    sequence = None if market.startswith("futures") else _whole(row.get("sequence_number"))
    return (
        market, channel, _symbol(market, row["ticker"]), _instant(row), sequence,
        _float(row.get("bid_price")), _float(row.get("ask_price")),
        _whole(row.get("bid_size")), _whole(row.get("ask_size")),
    )  # fmt: skip


SHOWN = {
    "bars": (
        _bar, "market, event_type, symbol, toUnixTimestamp64Milli(window_start) * 1000000, "
        "open, high, low, close, volume",
    ),
    "trades": (
        _trade, "market, event_type, symbol, toUnixTimestamp64Nano(timestamp), sequence_number, "
        "trade_id, price, size, conditions, correction",
    ),
    "quotes": (
        _quote, "market, event_type, symbol, toUnixTimestamp64Nano(timestamp), sequence_number, "
        "bid_price, ask_price, toInt64(bid_size), toInt64(ask_size)",
    ),
}  # fmt: skip


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(each.normalize() if isinstance(each, Decimal) else each for each in row)


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_has_what_the_files_of_every_market_have(
    client: Any, connect: Connect, sandbox: Sandbox, given: dict[str, Any], kind: str
) -> None:
    markets = [market for market in PREFIXES if market in KINDS[kind].channels]
    done = run(connect, **given, data=kind, markets=",".join(markets), start=THURSDAY, end=THURSDAY)
    assert [outcome.state for outcome in done] == ["loaded"] * len(markets)
    read, shown = SHOWN[kind]
    expected = []
    for dataset in datasets([kind], markets):
        stored = sandbox.flat_files.get(dataset.key(date.fromisoformat(THURSDAY)))
        assert stored
        rows = rows_of(stored.body)
        expected += [read(dataset.market, dataset.channel, row) for row in rows]
    found = client.query(f"SELECT {shown} FROM {TABLES[kind]}").result_rows
    assert len(found) == sum(outcome.rows for outcome in done) == len(expected)
    assert sorted(map(_plain, found), key=repr) == sorted(expected, key=repr)
    assert left_behind(client) == []


def test_what_is_there_is_not_read_again_and_what_was_replaced_is(
    client: Any, connect: Connect, sandbox: Sandbox, given: dict[str, Any]
) -> None:
    first = run(connect, **given, **WEEK)
    assert [outcome.state for outcome in first] == ["loaded"] * 5
    asked = len(sandbox.requests)
    second = run(connect, **given, **WEEK)
    assert [(o.state, o.rows) for o in second] == [("unchanged", o.rows) for o in first]
    assert len(sandbox.requests) == asked + 1, "the list, and no file"
    sandbox.flat_files.replace(bars_key(THURSDAY), "short")
    (outcome,) = [o for o in run(connect, **given, **WEEK) if o.state == "loaded"]
    assert (str(outcome.day), outcome.rows, outcome.written, outcome.removed) == (THURSDAY, 6, 0, 3)
    stored = sandbox.flat_files.get(bars_key(THURSDAY))
    assert stored
    held = client.query(
        f"SELECT {SHOWN['bars'][1]} FROM stock_aggregates FINAL "
        f"WHERE toDate(window_start) = '{THURSDAY}'"
    ).result_rows
    assert sorted(held) == sorted(_bar("stocks", "AM", row) for row in rows_of(stored.body))
    assert client.command("SELECT count() FROM stock_aggregates FINAL") == 4 * 9 + 6


def test_a_dry_run_tells_sizes_and_rows_and_changes_nothing(
    connect: Connect, client: Any, sandbox: Sandbox, given: dict[str, Any]
) -> None:
    sandbox.flat_files.replace(bars_key(FRIDAY), "missing")
    done = run(connect, **given, **WEEK, dry_run=True)
    assert [outcome.state for outcome in done] == ["to load"] * 4 + ["missing"]
    assert done[0].rows == 9, "counted; the others are told from their sizes"
    stored = sandbox.flat_files.get(bars_key("2026-11-16"))
    assert stored
    assert done[0].bytes == len(stored.body)
    assert client.command("EXISTS TABLE flat_files") == 0
    assert client.command("SELECT count() FROM stock_aggregates") == 0


def test_rows_that_are_equal_stay_as_the_stream_brought_them(
    client: Any, connect: Connect, tmp_path: Path
) -> None:
    start = 1_763_650_800_000_000_000  # 2025-11-20 10:00 in New York
    rows = [f"AAPL,10,1,2,3,0.5,{start + n * 60_000_000_000},4" for n in range(3)]
    write(tmp_path, bars_key("2025-11-20"), BARS, rows)
    streamed = (
        "INSERT INTO stock_aggregates (event_type, market, symbol, window_start, window_end, open, "
        "high, low, close, vwap, volume, official_open, received_at, healed) SELECT 'AM', "
        "'stocks', 'AAPL', toDateTime64('2025-11-20 15:00:00', 3, 'UTC') + 60 * number "
        "AS window_start, "
        "window_start + 60, 1, 3, 0.5, if(number = 1, 1.9, 2), 1.5, 10, 1.25, "
        "'2025-11-20 15:10:00', false FROM numbers(2)"
    )
    client.command(streamed)
    (outcome,) = run(connect, start="2025-11-20", end="2025-11-20", directory=tmp_path)
    assert (outcome.rows, outcome.written) == (3, 2)
    held = client.query(
        "SELECT close, vwap, official_open, healed FROM stock_aggregates FINAL "
        "ORDER BY window_start"
    ).result_rows
    assert held == [(2, 1.5, 1.25, False), (2, None, 1.25, True), (2, None, None, True)]


def test_option_trades_are_not_mixed_with_those_of_the_stream(
    client: Any, connect: Connect, given: dict[str, Any]
) -> None:
    client.command(
        "INSERT INTO trades (event_type, market, symbol, timestamp, sequence_number, price, size, "
        "received_at, healed) VALUES ('T', 'options', 'O:X', '2026-11-19 15:00:00', 7, 1, 1, "
        "'2026-11-19 15:00:01', false)"
    )
    (outcome,) = run(
        connect, **given, start=THURSDAY, end=THURSDAY, markets="options", data="trades"
    )
    assert outcome.state == "refused"
    assert "neither sequence numbers nor ids" in outcome.words
    assert client.command("SELECT count() FROM trades") == 1


@pytest.mark.parametrize("market", ["crypto", "forex", "futures/cme"])
def test_a_row_of_another_day_takes_nothing_from_that_days_file(
    client: Any, connect: Connect, tmp_path: Path, market: str
) -> None:
    (dataset,) = datasets(["bars"], [market])
    days = [date(2025, 11, 18), date(2025, 11, 19), date(2025, 11, 20)]
    for day in days:
        start = int((day - date(1970, 1, 1)).total_seconds()) * 10**9
        times = [start + minute * 60 * 10**9 for minute in (0, 720, 1439)]
        if day == days[-1]:
            times.append(start - 40 * 3600 * 10**9)  # on the first day, which has others
        rows = [f"X:A{n}-USD,1,1,2,3,0.5,{time},1" for n, time in enumerate(times)]
        write(tmp_path, dataset.key(day), BARS, rows)
    span = {"start": "2025-11-18", "end": "2025-11-20", "directory": tmp_path, "markets": market}
    done = run(connect, **span)
    assert [(o.state, o.removed) for o in done] == [("loaded", 0)] * 3
    assert client.command("SELECT count() FROM stock_aggregates FINAL") == 10
    write(tmp_path, dataset.key(days[-1]), BARS, rows[1:2])
    (again,) = [o for o in run(connect, **span) if o.state == "loaded"]
    assert again.removed == 0, "what lies beyond the file's first and last row is not known"
    write(tmp_path, dataset.key(days[-1]), BARS, [rows[0], rows[2]])
    (again,) = [o for o in run(connect, **span) if o.state == "loaded"]
    assert again.removed == 1
    assert client.command("SELECT count() FROM stock_aggregates FINAL") == 9


@pytest.mark.parametrize("change", ["TRUNCATE TABLE", "DROP TABLE"])
def test_a_table_that_was_emptied_is_filled_again(
    client: Any, connect: Connect, tmp_path: Path, change: str
) -> None:
    write(tmp_path, bars_key("2025-11-20"), BARS, ["AAPL,1,1,1,1,1,1763650800000000000,1"])
    span = {"start": "2025-11-20", "end": "2025-11-20", "directory": tmp_path}
    run(connect, **span)
    client.command(f"{change} stock_aggregates")
    (outcome,) = run(connect, **span)
    assert (outcome.state, outcome.written) == ("loaded", 1)


def test_columns_may_stand_in_any_order_and_more_of_them(
    client: Any, connect: Connect, tmp_path: Path
) -> None:
    write(
        tmp_path, bars_key("2025-11-20"), "new,window_start,low,high,close,open,volume,ticker",
        ["x,1763650800000000000,1,4,3,2,0.5,BRK.B"],
    )  # fmt: skip
    run(connect, start="2025-11-20", end="2025-11-20", directory=tmp_path)
    shown = "symbol, open, high, low, close, volume, toString(window_start)"
    assert client.query(f"SELECT {shown} FROM stock_aggregates").result_rows == [
        ("BRK.B", 2, 4, 1, 3, 0.5, "2025-11-20 15:00:00.000")
    ]


def test_killed_in_the_middle_and_run_again_the_table_has_the_files(tmp_path: Path) -> None:
    files, table = tmp_path / "files", tmp_path / "table.chdb"
    days = [date(2026, 9, 1) + timedelta(days=n) for n in range(14)]
    for day in days:
        start = int((day - date(1970, 1, 1)).total_seconds()) * 10**9
        lines = [
            f"X:C{n // 60}-USD,{n},1,2,3,0.5,{start + n % 60 * 60_000_000_000},1"
            for n in range(6_000)
        ]
        write(files, f"global_crypto/minute_aggs_v1/{day:%Y/%m/%Y-%m-%d}.csv.gz", BARS, lines)
    command = [
        str(Path(sys.executable).with_name("polygon-stream")), "backfill", "--markets", "crypto",
        "--directory", str(files), "--clickhouse", f"chdb:{table}", "--start", "2026-09-01",
        "--end", "2026-09-14", "--parallel", "2",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert "loaded" in process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.stdout.close()
    process.wait()
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "unchanged" in again.stdout
    code = (
        "import sys; from polygon_streaming import clickhouse\n"
        "client = clickhouse.connect('chdb:' + sys.argv[1], '')\n"
        "print(client.query('SELECT count(), uniqExact(toDate(window_start)), sum(volume) FROM "
        "stock_aggregates FINAL').result_rows,"
        "client.command(\"SELECT count() FROM system.tables WHERE name LIKE '%\\_\\_file%'\"))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, table], capture_output=True, text=True, check=True
    )
    assert found.stdout.split("\n")[0] == f"[({14 * 6_000}, 14, {14 * sum(range(6_000)):.1f})] 0"


def test_a_stop_ends_after_the_files_under_way(
    client: Any, connect: Connect, given: dict[str, Any]
) -> None:
    settings = BackfillSettings.model_validate({**given, **WEEK, "parallel": 1})
    backfill = Backfill(settings, connect, pause_seconds=0)
    stop = Event()
    outcomes = backfill.run(backfill.plan(client), stop)
    assert next(outcomes).state == "loaded"
    stop.set()
    with pytest.raises(StreamError, match="The next run goes on"):
        list(outcomes)
    assert int(client.command("SELECT count() FROM flat_files")) < 5
    assert left_behind(client) == []


@pytest.mark.parametrize("streamed", [False, True])
def test_bars_are_new_when_they_are_attached_however_long_their_reading_took(
    client: Any, connect: Connect, tmp_path: Path, *, streamed: bool
) -> None:
    """Rollups look for what is new."""
    write(tmp_path, bars_key("2025-11-20"), BARS, ["AAPL,1,1,1,1,1,1763650800000000000,1"])
    if streamed:
        client.command(
            "INSERT INTO stock_aggregates (event_type, market, symbol, window_start, window_end, "
            "open, high, low, close, volume, otc, received_at, healed, ingested_at) SELECT 'AM', "
            "'stocks', 'AAPL', '2025-11-20 15:00:00', '2025-11-20 15:01:00', 1, 1, 1, 2, 1, false, "
            "now(), false, now() - 86400"
        )
    span = {"start": "2025-11-20", "end": "2025-11-20", "clickhouse": "chdb:", "parallel": 1}
    settings = BackfillSettings.model_validate({**span, "directory": tmp_path})
    backfill = Backfill(settings, connect, _Slow(tmp_path, embedded=True))
    (outcome,) = backfill.run(backfill.plan(client), Event())
    assert (outcome.state, outcome.written) == ("loaded", 1)
    query = "SELECT close, dateDiff('second', ingested_at, now64(3)) FROM stock_aggregates FINAL"
    ((close, age),) = client.query(query).result_rows
    assert (close, age < 300) == (1, True)
    assert left_behind(client) == []


class _Slow(Directory):
    """A directory whose files took ClickHouse an hour."""

    def insert(self, client: Any, dataset: Any, day: date, into: str, columns: Any) -> None:
        super().insert(client, dataset, day, into, columns)
        client.command(
            f"ALTER TABLE {into} UPDATE ingested_at = ingested_at - 3600 WHERE true",
            settings={"mutations_sync": 2},
        )
