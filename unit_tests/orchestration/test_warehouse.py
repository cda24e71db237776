"""The same SQL on both warehouses. Snowflake's is fakesnow's: DuckDB behind Snowflake's dialect."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import fakesnow
import pytest
import snowflake.connector
from polygon_orchestration.checks import sql
from polygon_orchestration.views import views
from polygon_orchestration.warehouse import DuckDB, QueryError, Snowflake, Warehouse

LANDED = [
    "CREATE SCHEMA landing",
    "CREATE TABLE landing.grouped_daily "
    "(market TEXT, date DATE, ticker TEXT, adjusted BOOLEAN, volume DOUBLE)",
    "INSERT INTO landing.grouped_daily VALUES ('stocks', '2026-11-20', 'AAPL', FALSE, 0), "
    "('stocks', '2026-11-20', 'AAPL', FALSE, 0), ('stocks', '2026-11-20', 'MSFT', FALSE, 5)",
    "CREATE SCHEMA market",
    "CREATE VIEW market.daily_bars AS SELECT * FROM landing.grouped_daily",
]


@pytest.fixture(params=["duckdb", "snowflake"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    if request.param == "duckdb":
        with duckdb.connect(tmp_path / "polygon.duckdb") as connection:
            for statement in LANDED[:3]:
                connection.execute(statement)
        yield DuckDB(tmp_path / "polygon.duckdb")
        return
    with fakesnow.patch():
        with snowflake.connector.connect(database="POLYGON") as session:
            for statement in LANDED:
                session.cursor().execute(statement)
        yield Snowflake(database="POLYGON", schema="LANDING")


def test_a_check_finds_its_rows(warehouse: Warehouse) -> None:
    (row,) = warehouse.rows(sql("duplicate_key"))
    assert (row["ticker"], row["copies"]) == ("AAPL", 2)
    (day,) = warehouse.rows(sql("zero_volume"))
    assert (str(day["date"]), day["bars"], day["without_volume"]) == ("2026-11-20", 3, 2)


def test_a_table_that_is_not_there_is_an_error_in_words(warehouse: Warehouse) -> None:
    with pytest.raises(QueryError, match=r"(?i)tickers.* does not exist"):
        warehouse.rows(sql("bars_without_ticker"))


def test_a_view_that_does_not_answer_is_not_published(warehouse: Warehouse) -> None:
    adjusted = next(view for view in views() if view.key.path[-1] == "daily_bars_adjusted")
    with pytest.raises(QueryError, match="does not exist"):
        warehouse.publish(adjusted.statement)
