"""What an asset's page shows of its table: columns, number of rows, the newest rows, a picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from polygon_orchestration import plot
from polygon_orchestration.warehouse import Row, Warehouse

_SHOWN = 5
_BY_SESSION = "SELECT date AS label, {} AS number FROM {} GROUP BY date ORDER BY date DESC LIMIT 60"
_BY_MONTH = (
    "SELECT SUBSTR(CAST({} AS TEXT), 1, 7) AS label, COUNT(*) AS number FROM {} GROUP BY 1 "
    "ORDER BY 1 DESC LIMIT 60"
)
_BY_TYPE = (
    "SELECT COALESCE(type, market) AS label, COUNT(*) AS number FROM {} GROUP BY 1 "
    "ORDER BY number DESC, label LIMIT 12"
)


@dataclass(frozen=True)
class Page:
    """How a table is shown.

    Attributes:
        order: which rows come first.
        title: of the picture.
        query: its bars, as `label` and `number`; the newest first.
        newest_last: whether the bars are turned round, as time goes from left to right.
    """

    order: str
    title: str
    query: str
    newest_last: bool = True


def _sessions(table: str, title: str, number: str = "COUNT(*)") -> Page:
    order = "date DESC, ticker" if table == "market.active_universe" else "date DESC, volume DESC"
    return Page(order, title, _BY_SESSION.format(number, table))


def _months(table: str, title: str, day: str) -> Page:
    return Page(f"{day} DESC, ticker", title, _BY_MONTH.format(day, table))


def _types(table: str, title: str) -> Page:
    return Page("ticker", title, _BY_TYPE.format(table), newest_last=False)


PAGES: Mapping[str, Page] = {
    "grouped_daily": _sessions("landing.grouped_daily", "Bars a session"),
    "tickers": _types("landing.tickers", "Rows by type"),
    "splits": _months("landing.splits", "Splits a month", "execution_date"),
    "dividends": _months("landing.dividends", "Dividends a month", "ex_dividend_date"),
    "latest_tickers": _types("market.latest_tickers", "Symbols by type"),
    "listings": _types("market.listings", "Companies by type"),
    "active_universe": _sessions("market.active_universe", "Companies listed, by session"),
    "daily_bars": _sessions(
        "market.daily_bars", "Traded a session, US dollars", "SUM(close * volume)"
    ),
    "adjustments": _months("market.adjustments", "Events a month", "event_date"),
    "daily_bars_adjusted": _sessions(
        "market.daily_bars_adjusted",
        "Bars with another price than the traded one, by session",
        "SUM(IFF(split_factor = 1, 0, 1))",
    ),
    "daily_bars_total_return": _sessions(
        "market.daily_bars_total_return",
        "Bars that later dividends adjust, by session",
        "SUM(IFF(dividend_factor = 1, 0, 1))",
    ),
}


def columns(warehouse: Warehouse, key: dg.AssetKey) -> list[tuple[str, str]]:
    """Return names, in lower case, and types of a table's columns, without Airbyte's own.

    Raises:
        QueryError: the warehouse does not answer.
    """
    schema, name = key.path
    rows = warehouse.rows(
        "SELECT column_name, data_type FROM INFORMATION_SCHEMA.COLUMNS "  # noqa: S608 - our own names
        f"WHERE LOWER(table_schema) = '{schema}' AND LOWER(table_name) = '{name}' "
        "ORDER BY ordinal_position"
    )
    found = [(str(row["column_name"]).lower(), str(row["data_type"])) for row in rows]
    return [(column, kind) for column, kind in found if not column.startswith("_airbyte")]


def described(
    warehouse: Warehouse, key: dg.AssetKey, meanings: Mapping[str, str]
) -> dict[str, Any]:
    """Return what Dagster shows of a table.

    Args:
        warehouse: where it is.
        key: schema and name.
        meanings: what its columns mean, of those that need a word.

    Raises:
        QueryError: the warehouse does not answer.
    """
    table, page = ".".join(key.path), PAGES[key.path[-1]]
    there = columns(warehouse, key)
    names = [name for name, _ in there]
    ((count,),) = (
        row.values()
        for row in warehouse.rows(f"SELECT COUNT(*) FROM {table}")  # noqa: S608 - our own names
    )
    newest = warehouse.rows(
        f"SELECT {', '.join(names)} FROM {table} ORDER BY {page.order} LIMIT {_SHOWN}"  # noqa: S608
    )
    points = [(str(row["label"]), float(row["number"] or 0)) for row in warehouse.rows(page.query)]
    schema = dg.TableSchema(
        [dg.TableColumn(name, kind, description=meanings.get(name)) for name, kind in there]
    )
    return {
        "dagster/row_count": int(count),
        "dagster/column_schema": schema,
        "dagster/table_name": table,
        "first rows": dg.MetadataValue.md(_table(names, newest)),
        "picture": dg.MetadataValue.md(
            plot.bars(page.title, points[::-1] if page.newest_last else points)
        ),
    }


def _table(names: list[str], rows: list[Row]) -> str:
    head = f"| {' | '.join(names)} |\n|{'---|' * len(names)}"
    lines = [f"| {' | '.join(_cell(row[name]) for name in names)} |" for row in rows]
    return "\n".join([head, *lines])


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
