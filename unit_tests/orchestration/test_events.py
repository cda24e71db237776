"""Splits and dividends: each run has the tables as the vendor has them, or as they were."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import AssetSelection
from polygon_sandbox import Fault, Plan, Sandbox, World

from unit_tests.orchestration.location import run, settings, table

NOW = "2026-11-20T22:30:00Z"
DAY = "2026-11-18"
EVENTS = AssetSelection.assets("landing/splits", "landing/dividends")


@pytest.fixture
def sandbox(clock: Callable[[str], None]) -> Iterator[Sandbox]:
    clock(NOW)
    with Sandbox(World(stocks=60, delisted=60, now=NOW), Plan.unlimited()) as sandbox:
        yield sandbox


def factors(path: Path, stream: str) -> dict[str, float]:
    with duckdb.connect(path, read_only=True) as connection:
        rows = connection.execute(f"SELECT id, historical_adjustment_factor FROM landing.{stream}")
        return {identity: float(factor) for identity, factor in rows.fetchall()}


def truth(rows: list[dict[str, Any]], field: str) -> dict[str, float]:
    return {
        row["id"]: row["historical_adjustment_factor"] for row in rows if row[field] >= "2026-10-01"
    }


def test_a_run_replaces_them(sandbox: Sandbox, tmp_path: Path) -> None:
    path, world = tmp_path / "polygon.duckdb", sandbox.world
    ticker = world.tickers("stocks")[0]["ticker"]
    world.add_split(ticker, date(2026, 10, 12), 1, 2)
    with run(settings(sandbox, path), EVENTS, DAY, DAY) as first:
        assert first.result.success
    assert factors(path, "splits") == truth(world.splits_with_factors(), "execution_date")
    before = factors(path, "splits")
    # The next one changes the factor of the first; what is not there any more goes.
    world.add_split(ticker, date(2026, 11, 12), 1, 5)
    world.add_dividend(ticker, date(2026, 11, 13), 0.1)
    with duckdb.connect(path) as connection:
        connection.execute("INSERT INTO landing.splits (id, ticker) VALUES ('taken back', 'GONE')")
    with run(settings(sandbox, path), EVENTS, DAY, DAY) as second:
        assert second.result.success
    after = factors(path, "splits")
    assert after == truth(world.splits_with_factors(), "execution_date")
    assert {(before[key], after[key]) for key in before if before[key] != after[key]} == {
        (0.5, 0.1)
    }
    assert factors(path, "dividends") == truth(world.dividends_with_factors(), "ex_dividend_date")


def test_a_failed_run_leaves_them_as_they_were(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "polygon.duckdb"
    chosen = settings(sandbox, path, start_date=date(2010, 1, 4))
    with run(chosen, EVENTS, DAY, DAY) as first:
        assert first.result.success
    before = {name: table(path, f"landing.{name}") for name in ("splits", "dividends")}
    sandbox.faults.add(Fault.status(403, path="/stocks/v1/dividends", times=None))
    with run(chosen, EVENTS, DAY, DAY) as failed:
        assert not failed.result.success
    after = {name: table(path, f"landing.{name}") for name in ("splits", "dividends")}
    assert after == before
    assert len(before["dividends"]) > 100


def test_adjusted_prices_are_those_of_the_api(sandbox: Sandbox, tmp_path: Path) -> None:
    path, world = tmp_path / "polygon.duckdb", sandbox.world
    sessions = world.sessions("stocks", date(2026, 11, 11), date(2026, 11, 18))
    traded = [{bar["T"]: bar["c"] for bar in world.bars("stocks", day)} for day in sessions]
    eventful = {row["ticker"] for row in [*world.splits(), *world.dividends()]}
    split, paying, shrunk = sorted(set.intersection(*map(set, traded)) - eventful)[:3]
    world.add_split(split, date(2026, 11, 12), 1, 2)
    world.add_split(split, date(2026, 11, 17), 2, 3)
    world.add_dividend(paying, date(2026, 11, 16), 0.2)
    for day in (12, 13, 16):  # as some do, one after the other
        world.add_split(shrunk, date(2026, 11, day), 10_000, 1)
    first, *_, last = map(str, sessions)
    with run(settings(sandbox, path), AssetSelection.all(), first, last) as done:
        assert done.result.success
    truth = {
        (day, bar["T"]): bar for day in sessions for bar in world.bars("stocks", day, adjusted=True)
    }
    with duckdb.connect(path, read_only=True) as connection:
        rows = connection.execute(
            "SELECT a.date, a.ticker, a.close, b.close, a.split_factor, r.close, r.dividend_factor "
            "FROM market.daily_bars_adjusted AS a "
            "JOIN market.daily_bars AS b USING (date, ticker) "
            "JOIN market.daily_bars_total_return AS r USING (date, ticker)"
        ).fetchall()
    assert {row[:2] for row in rows} == truth.keys()
    splits, dividends = {}, {}
    for day, ticker, adjusted, close, of_splits, returned, of_dividends in rows:
        # The API rounds to four decimals, the factor has six.
        off = 0.5e-4 * 1.001 + float(close) * 0.5e-6 * 1.001
        assert adjusted == pytest.approx(truth[day, ticker]["c"], abs=off, rel=0)
        assert returned == pytest.approx(adjusted * of_dividends, rel=1e-12)
        splits[str(day), ticker] = of_splits
        dividends[str(day), ticker] = of_dividends
    assert [splits[str(day), split] for day in sessions] == [0.333333, *[0.666667] * 3, 1, 1]
    assert [splits[str(day), shrunk] for day in sessions] == [1e12, 1e8, 1e4, 1, 1, 1]
    kept = round(1 - 0.2 / traded[2][paying], 6)
    assert [dividends[str(day), paying] for day in sessions] == [*[kept] * 3, 1, 1, 1]
