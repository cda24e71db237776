"""The queries of docs/recipes.md over flat files, against what the sandbox knows."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from polygon_sandbox import Sandbox, World
from polygon_sandbox.flat_files import FilesSize, FlatFiles

from integration_tests.documents.blocks import blocks

DAY = date(2026, 11, 19)
OPENING = 1795098600  # 09:30 in New York on that day
RECIPES = {block.heading: block.text for block in blocks("docs/recipes.md")}

Row = dict[str, Any]


@pytest.fixture(scope="module")
def world() -> World:
    return World(stocks=3, delisted=0, otc=0, now="2026-11-20T22:30:00Z")


@pytest.fixture(scope="module")
def files(world: World) -> FlatFiles:
    size = FilesSize(days=3, bars_from=time(9, 30), bar_minutes=90, tick_seconds=120)
    return FlatFiles(world, size)


@pytest.fixture
def connection(files: FlatFiles, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection, and the files of a day in folders below the one it stands in."""
    for dataset in ("minute_aggs_v1", "trades_v1"):
        stored = files.get(f"us_stocks_sip/{dataset}/{DAY:%Y/%m/%Y-%m-%d}.csv.gz")
        assert stored is not None
        (tmp_path / dataset).mkdir()
        (tmp_path / dataset / f"{DAY}.csv.gz").write_bytes(stored.body)
    with duckdb.connect() as connected:
        connected.execute(f"SET file_search_path = '{tmp_path}'")
        yield connected


def rows(cursor: duckdb.DuckDBPyConnection) -> list[Row]:
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_half_hours_from_minutes(connection: duckdb.DuckDBPyConnection, world: World) -> None:
    found = rows(connection.execute(RECIPES["Flat files in DuckDB"]))
    tickers = sorted(str(row["ticker"]) for row in world.tickers("stocks"))
    expected = []
    for ticker in tickers:
        for number in range(3):
            bar = world.trading.bar(ticker, OPENING + 1800 * number, 1800)
            assert bar is not None
            expected.append(
                {
                    "ticker": ticker,
                    "half_hour": datetime(2026, 11, 19, 9, 30) + timedelta(minutes=30 * number),  # noqa: DTZ001 - New York's
                    "open": bar.open,
                    "high": bar.high,
                    "low": bar.low,
                    "close": bar.close,
                    "volume": bar.volume,
                    "transactions": bar.trades,
                }
            )
    assert found == expected


def test_bars_from_trades(connection: duckdb.DuckDBPyConnection, world: World) -> None:
    found = rows(connection.execute(RECIPES["Trades of a flat file in DuckDB"]))
    tickers = sorted(str(row["ticker"]) for row in world.tickers("stocks"))
    expected = []
    for ticker in tickers:
        for number in range(2):
            bar = world.trading.bar(ticker, OPENING + 60 * number, 60)
            assert bar is not None
            expected.append((ticker, bar.open, bar.high, bar.low, bar.close, bar.volume))
    values = [(r["ticker"], r["open"], r["high"], r["low"], r["close"], r["volume"]) for r in found]
    assert values == [(*row[:5], pytest.approx(row[5])) for row in expected]
    assert found[0]["minute_utc"] == datetime(2026, 11, 19, 14, 30)  # noqa: DTZ001 - UTC


def test_over_s3(files: FlatFiles, world: World) -> None:
    with duckdb.connect() as connected, Sandbox(world, flat_files=files) as sandbox:
        try:
            connected.execute("LOAD httpfs")
        except duckdb.Error as error:
            pytest.skip(f"DuckDB's extension httpfs is not here: {error}")
        text = RECIPES["Flat files in DuckDB, over S3"].replace("INSTALL httpfs;", "")
        for ours, example in (
            (files.access_key_id, "your-access-key-id"),
            (sandbox.key, "your-secret-access-key"),
            (sandbox.url.removeprefix("http://"), "files.massive.com"),
            ("URL_STYLE 'path', USE_SSL false", "URL_STYLE 'path'"),
        ):
            assert example in text
            text = text.replace(example, ours)
        found = rows(connected.execute(text))
    bars = {bar["T"]: bar for bar in world.bars("stocks", DAY)}
    assert [row["ticker"] for row in found] == sorted(bars)
    assert all(row["close"] == bars[row["ticker"]]["c"] for row in found)
