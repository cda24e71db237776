"""What an asset's page shows, and the check that each asset has, after one run of everything."""

import re
import shutil
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import time_machine
from polygon_orchestration import plot
from polygon_orchestration.checks import checks
from polygon_orchestration.definitions import definitions
from polygon_orchestration.pages import PAGES
from polygon_orchestration.settings import Settings
from polygon_orchestration.warehouse import DuckDB
from polygon_sandbox import Plan, Sandbox, World
from pydantic import SecretStr

from unit_tests.orchestration.location import Run, run, settings

NOW = "2026-11-20T22:30:00Z"
FAULTS = {
    "ticker_twice": "INSERT INTO landing.tickers FROM landing.tickers LIMIT 1",
    "split_without_shares": "UPDATE landing.splits SET split_from = 0",
    "dividend_without_amount": "UPDATE landing.dividends SET cash_amount = NULL",
    "symbol_twice": "INSERT INTO market.latest_tickers FROM market.latest_tickers LIMIT 1",
    "bars_after_delisting": "UPDATE market.listings SET delisted_on = last_bar "
    "WHERE ticker = 'AAPL'",
    "listed_twice": "INSERT INTO market.active_universe FROM market.active_universe LIMIT 1",
    "bars_lost": "DELETE FROM market.daily_bars WHERE date = '2026-11-18'",
    "periods_overlap": "UPDATE market.adjustments SET first_date = event_date + 1",
    "adjusted_bars_differ": "INSERT INTO market.daily_bars_adjusted "
    "FROM market.daily_bars_adjusted LIMIT 1",
    "total_return_bars_differ": "DELETE FROM market.daily_bars_total_return "
    "WHERE date = '2026-11-18'",
}


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    world = World(stocks=60, delisted=60, now=NOW)
    with Sandbox(world, Plan.unlimited()) as sandbox:
        path = tmp_path_factory.mktemp("whole") / "polygon.duckdb"
        yield settings(sandbox, path, owner="quants@example.com")


@pytest.fixture(scope="module")
def whole(chosen: Settings, clock_for_module: None) -> Iterator[Run]:
    with run(chosen, dg.AssetSelection.all(), "2026-11-11", "2026-11-20") as done:
        assert done.result.success
        yield done


@pytest.fixture(scope="module")
def clock_for_module() -> Iterator[None]:
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture(scope="module")
def shown(whole: Run) -> dict[str, dict[str, Any]]:
    events = whole.result.get_asset_materialization_events()
    return {
        event.asset_key.path[-1]: dict(event.materialization.metadata)
        for event in events
        if event.asset_key
    }


def count(path: Path, query: str) -> Any:
    with duckdb.connect(path, read_only=True) as connection:
        ((found,),) = connection.execute(query).fetchall()
    return found


def test_every_asset_says_whose_it_is_and_what(chosen: Settings) -> None:
    assets = definitions(chosen).resolve_asset_graph().asset_nodes
    nodes = {node.key.path[-1]: node for node in assets}
    assert nodes.keys() == PAGES.keys()
    for name, node in nodes.items():
        assert list(node.owners) == ["quants@example.com"], name
        layer = node.key.path[0]
        assert node.tags["layer"] == layer
        assert (node.tags["vendor"], node.tags["asset-class"]) == ("polygon", "stocks")
        assert node.kinds == {"duckdb", "airbyte" if layer == "landing" else "table"}
        assert len(str(node.description)) > 20
        assert "SELECT *" not in str(node.description)
    assert nodes["listings"].description == (
        "One row a company that has, or had, a symbol; symbols are used again."
    )
    assert "`SELECT ticker, name FROM MARKET.ACTIVE_UNIVERSE" in str(
        nodes["active_universe"].description
    )


def test_a_table_is_the_streaming_side_s_where_that_is_known(chosen: Settings) -> None:
    with_stream = chosen.model_copy(update={"clickhouse": "http://reader@db:8123/market"})
    graph = definitions(with_stream).resolve_asset_graph()
    node = graph.get(dg.AssetKey(["stream", "stock_aggregates"]))
    assert node.kinds == {"clickhouse", "kafka"}
    assert not node.is_materializable


@pytest.mark.parametrize("owner", ["somebody", "team:", "a@b"])
def test_an_owner_that_dagster_would_refuse_is_refused_by_name(owner: str) -> None:
    with pytest.raises(ValueError, match="owner"):
        Settings(api_key=SecretStr("k"), owner=owner)


def test_numbers_of_rows_are_those_of_the_tables(
    shown: dict[str, dict[str, Any]], chosen: Settings
) -> None:
    assert shown.keys() == PAGES.keys()
    for metadata in shown.values():
        table = metadata["dagster/table_name"].value
        rows = count(chosen.duckdb_path, f"SELECT count(*) FROM {table}")
        assert metadata["dagster/row_count"].value == rows > 0


def test_columns_have_types_and_what_they_mean(shown: dict[str, dict[str, Any]]) -> None:
    columns = {c.name: c for c in shown["listings"]["dagster/column_schema"].schema.columns}
    assert list(columns)[:3] == ["market", "ticker", "name"]
    assert (columns["first_bar"].type, columns["active"].type) == ("DATE", "BOOLEAN")
    assert str(columns["first_bar"].description).startswith("its first session in GROUPED_DAILY")
    factor = next(
        c
        for c in shown["adjustments"]["dagster/column_schema"].schema.columns
        if c.name == "factor"
    )
    assert str(factor.description).endswith(
        "where the vendor left it out, or nothing is left of it"
    )
    landed = [c.name for c in shown["grouped_daily"]["dagster/column_schema"].schema.columns]
    assert not any(name.startswith("_airbyte") for name in landed)


def test_columns_are_followed_to_where_they_come_from(shown: dict[str, dict[str, Any]]) -> None:
    def lineage(table: str, column: str) -> set[str]:
        deps = shown[table]["dagster/column_lineage"].lineage.deps_by_column[column]
        return {f"{dep.asset_key.to_user_string()}.{dep.column_name}" for dep in deps}

    assert lineage("daily_bars", "close") == {"landing/grouped_daily.close"}
    assert lineage("listings", "first_bar") == {"landing/grouped_daily.date"}
    assert lineage("listings", "delisted_on") == {
        "landing/tickers.active", "landing/tickers.delisted_utc",
    }  # fmt: skip
    assert lineage("daily_bars_adjusted", "close") == {
        "market/daily_bars.close", "market/adjustments.factor", "market/adjustments.ticker",
    }  # fmt: skip
    assert "landing/splits.historical_adjustment_factor" in lineage("adjustments", "factor")
    for name, metadata in shown.items():
        if "dagster/column_lineage" in metadata:
            known = metadata["dagster/column_lineage"].lineage.deps_by_column
            columns = {c.name for c in metadata["dagster/column_schema"].schema.columns}
            assert set(known) == columns - ({"event"} if name == "adjustments" else set()), name


def test_the_first_rows_and_the_picture_are_the_table_s(
    shown: dict[str, dict[str, Any]], chosen: Settings
) -> None:
    head, _, *rows = shown["daily_bars"]["first rows"].value.splitlines()
    assert head.startswith("| market | date | ticker | open |")
    assert len(rows) == 5
    assert all("| 2026-11-20 |" in row for row in rows)
    busiest = count(
        chosen.duckdb_path,
        "SELECT arg_max(ticker, volume) FROM market.daily_bars WHERE date = '2026-11-20'",
    )
    assert f"| {busiest} |" in rows[0]
    picture = shown["grouped_daily"]["picture"].value
    svg = b64decode(re.findall(r"base64,([\w+/=]+)", picture)[0]).decode()
    bars = dict(re.findall(r"<rect .*?<title>([\d-]+): ([\d,]+)</title>", svg))
    assert list(bars) == sorted(bars)
    assert len(bars) == 8
    landed = "SELECT count(*) FROM landing.grouped_daily WHERE date = '2026-11-18'"
    assert int(bars["2026-11-18"]) == count(chosen.duckdb_path, landed)


def test_the_sql_and_the_code_are_a_click_away(chosen: Settings) -> None:
    node = definitions(chosen).resolve_asset_graph().get(dg.AssetKey(["market", "listings"]))
    references = node.metadata["dagster/code_references"].code_references
    sql, code = references
    line = Path(sql.file_path).read_text().splitlines()[sql.line_number - 1]
    assert line == "CREATE OR REPLACE VIEW MARKET.LISTINGS AS"
    assert code.file_path.endswith("polygon_orchestration/assets.py")


def test_every_asset_has_a_check_and_good_data_pass(whole: Run) -> None:
    passed = whole.result.get_asset_check_evaluations()
    assert {c.asset_key.path[-1] for c in passed} == PAGES.keys()
    assert not whole.failed_checks


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_by_the_check_of_its_name(
    name: str, whole: Run, chosen: Settings, tmp_path: Path
) -> None:
    path = Path(shutil.copy(chosen.duckdb_path, tmp_path / "polygon.duckdb"))
    (check,) = (check for check in checks(DuckDB(path), 15) if check.name == name)
    assert list(check.faults()) == []
    with duckdb.connect(path) as connection:
        connection.execute(FAULTS[name])
    assert check.faults()
    assert len(check.description) > 30


def test_a_picture_of_nothing_is_words() -> None:
    assert plot.bars("Splits a month", []) == "Splits a month: nothing yet"
    assert plot.bars("Splits a month", [("2026-11", 0.0)]).count("data:image/svg+xml") == 1
