"""The vendor's files in the tables as deployed: projections, indexes, retention, rollups."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from polygon_streaming.backfill.verify import Verify
from polygon_streaming.settings import VerifySettings

from deploy.clickhouse.migrate import migrate
from deploy.clickhouse.statements import migrations, split
from deploy.tests.clickhouse.test_reading import refresh
from unit_tests.streaming.flat_files import BARS, Connect, bars_key, left_behind, run, write

RETENTION = Path(__file__).parents[2] / "clickhouse" / "optional" / "retention.sql"
DAY = "2098-11-20"  # no retention ends it, whenever this runs
OPENING = 4_067_332_200  # 14:30 UTC
TRADES = "ticker,conditions,correction,exchange,id,price,sequence_number,sip_timestamp,size,tape"
SYMBOLS = ("AAPL", "MSFT")


@pytest.fixture
def deployed(database: Any) -> Any:
    """A client with all tables as an operator may have them: retention, ticks by the day."""
    migrate(database, migrations(daily_ticks=True), None, lambda _: None)
    for statement in split(RETENTION.read_text(encoding="utf-8")):
        database.command(statement)
    return database


@pytest.fixture
def connect(deployed: Any, engine: Callable[..., Any]) -> Connect:
    """Makes further clients of the same database."""
    name = deployed.command("SELECT currentDatabase()")

    def another() -> Any:
        client = engine()
        client.command(f"USE {name}")
        return client

    return another


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Three minutes and as many trades of two symbols."""
    minutes = [(symbol, n, (OPENING + 60 * n) * 10**9) for symbol in SYMBOLS for n in range(3)]
    bars = [f"{symbol},{100 + n},10,{11 + n},12,9,{start},7" for symbol, n, start in minutes]
    trades = [f"{symbol},12,0,4,{n},10.5,{n},{start + 7},100,1" for symbol, n, start in minutes]
    write(tmp_path, bars_key(DAY), BARS, bars)
    write(tmp_path, bars_key(DAY).replace("minute_aggs_v1", "trades_v1"), TRADES, trades)
    return tmp_path


def _stream(client: Any) -> None:
    """Two minutes of AAPL, the second with a close before a late trade; and one taken back."""
    client.command(
        "INSERT INTO stock_aggregates (event_type, market, symbol, window_start, window_end, open, "
        "high, low, close, volume, otc, received_at, healed) SELECT 'AM', 'stocks', "
        f"if(number = 2, 'GONE', 'AAPL'), toDateTime64({OPENING}, 3, 'UTC') + 60 * number AS at, "
        "at + 60, 10, 12, 9, if(number = 1, 7, 11 + number), 100 + number, false, at, false "
        "FROM numbers(3)"
    )


CLOSES = (
    "SELECT symbol, close FROM {} WHERE event_type = 'AM' ORDER BY symbol, {}",
    [("AAPL", 11), ("AAPL", 12), ("AAPL", 13), ("MSFT", 11), ("MSFT", 12), ("MSFT", 13)],
)
BETWEEN = f"bars_between(since = '{DAY} 00:00:00', until = '{DAY} 23:59:59')"


@pytest.mark.parametrize("streamed", [False, True])
def test_tables_and_views_have_the_bars_of_a_file(
    deployed: Any, connect: Connect, files: Path, *, streamed: bool
) -> None:
    if streamed:
        _stream(deployed)
        refresh(deployed)
        given = {"day": DAY, "directory": files, "clickhouse": "chdb:", "mend": True}
        settings = VerifySettings.model_validate({**given, "most_extra": 1})
        (verdict,) = Verify(settings, connect).run()
        counts = (verdict.equal, verdict.other, verdict.missing, verdict.extra)
        assert counts == (1, 1, 4, 1)
    else:
        (outcome,) = run(connect, start=DAY, end=DAY, directory=files)
        assert (outcome.state, outcome.written) == ("loaded", 6)
    assert left_behind(deployed) == []
    query, expected = CLOSES
    assert deployed.query(query.format("stock_aggregates FINAL", "window_start")).result_rows == (
        expected
    )
    # Through the projection, which the attached parts have.
    assert deployed.query(query.format(BETWEEN, "window_start")).result_rows == expected
    parts = deployed.command(
        "SELECT countIf(has(projections, 'by_time')) = count() AND count() > 0 FROM system.parts "
        "WHERE active AND database = currentDatabase() AND table = 'stock_aggregates'"
    )
    assert int(parts) == 1
    # Rollups see attached rows at their next refresh, and do not see that a bar was removed.
    refresh(deployed)
    kept = [("GONE", 13)] if streamed else []
    rolled = deployed.query(query.format("minute_bars FINAL", "start")).result_rows
    assert sorted(rolled) == sorted([*expected, *kept])
    # What looks at inserts alone sees what the stream has inserted.
    latest = deployed.query("SELECT symbol, price FROM latest_price ORDER BY symbol").result_rows
    assert latest == ([("AAPL", 7), ("GONE", 13)] if streamed else [])
    # A merge rebuilds the projection, and retention leaves what is young.
    deployed.command("OPTIMIZE TABLE stock_aggregates FINAL")
    assert deployed.query(query.format(BETWEEN, "window_start")).result_rows == expected


def test_trades_go_into_a_partition_of_their_day(
    deployed: Any, connect: Connect, files: Path
) -> None:
    for again in (False, True):
        (outcome,) = run(connect, start=DAY, end=DAY, directory=files, data="trades", again=again)
        assert (outcome.state, outcome.written) == ("loaded", 0 if again else 6)
    rows = deployed.query(
        "SELECT DISTINCT partition FROM system.parts WHERE active AND table = 'trades' "
        "AND database = currentDatabase()"
    ).result_rows
    assert rows == [("20981120",)]
    assert deployed.command("SELECT count() FROM trades") == 6


def test_rollups_of_years_are_right_at_one_refresh(deployed: Any) -> None:
    """A day a month for eleven years: more months than an insert may have partitions by itself."""
    deployed.command(
        "INSERT INTO stock_aggregates (event_type, market, symbol, window_start, window_end, open, "
        "high, low, close, volume, otc, received_at, healed) SELECT 'AM', 'stocks', 'AAPL', "
        "toDateTime64('2087-01-02 15:00:00', 3, 'UTC') + toIntervalMonth(intDiv(number, 4)) "
        "+ toIntervalMinute(number % 4 * 30) AS at, at + 60, number, 999, 1, number + 1, number, "
        "false, at, true FROM numbers(4 * 132)",
        settings={"max_partitions_per_insert_block": 0},
    )
    # One of them was corrected since.
    deployed.command(
        "INSERT INTO stock_aggregates SELECT * REPLACE(7 AS close, ingested_at + 1 AS ingested_at) "
        "FROM stock_aggregates WHERE volume = 40"
    )
    refresh(deployed)
    columns = "market, symbol, event_type, start, open, high, low, close, vwap, volume, bars"
    for table, seconds, of_a_day in (("minute_bars", 60, 4), ("hour_bars", 3600, 2)):
        held = f"SELECT {columns} FROM {table} FINAL"
        assert deployed.command(f"SELECT count() FROM ({held})") == of_a_day * 132
        truth = f"SELECT {columns} FROM ohlc(interval = {seconds})"
        assert deployed.query(f"{held} EXCEPT {truth}").result_rows == []


def test_the_latest_price_is_filled_by_hand_as_often_as_one_likes(deployed: Any) -> None:
    """As docs/streaming.md has it."""
    _stream(deployed)
    deployed.command("TRUNCATE TABLE latest_prices")
    for _ in range(2):
        deployed.command(
            "INSERT INTO latest_prices SELECT market, symbol, "
            "argMaxState(close, (b.window_start, b.ingested_at)), "
            "argMaxState(accumulated_volume, (b.window_start, b.ingested_at)), max(b.window_start) "
            "FROM stock_aggregates AS b WHERE b.window_start > now() - INTERVAL 10 DAY "
            "GROUP BY market, symbol"
        )
        latest = deployed.query("SELECT symbol, price FROM latest_price ORDER BY symbol")
        assert latest.result_rows == [("AAPL", 7), ("GONE", 13)]
