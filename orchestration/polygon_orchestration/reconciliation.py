"""The day's bars of the stream, in ClickHouse, against the official daily bars."""

from collections.abc import Callable
from datetime import datetime, time, timedelta, timezone
from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError

from polygon_orchestration.checks import Check, sql
from polygon_orchestration.sessions import NEW_YORK, close, opening
from polygon_orchestration.warehouse import QueryError, Row, Warehouse

# What a minute that the exchange corrected after the close may move. Unverified on a live feed.
_PRICE = 0.005
_VOLUME = 0.02


def reconciliation(warehouse: Warehouse, open_clickhouse: Callable[[], Any], table: str) -> Check:
    """Return the check: symbols that were streamed and whose bars do not add up.

    Args:
        warehouse: where the official bars are.
        open_clickhouse: connects with clickhouse-connect; raises a QueryError where it cannot.
        table: of polygon-streaming's sink.
    """

    def faults() -> list[Row]:
        official = {row["ticker"]: row for row in warehouse.rows(sql("official_bars"))}
        if not official:
            return []
        day = next(iter(official.values()))["date"]
        midnight = datetime.combine(day, time(), NEW_YORK)
        window = {
            "begins": midnight,
            "opens": opening(day),
            "closes": close(day),
            "ends": datetime.combine(day + timedelta(days=1), time(), NEW_YORK),
        }
        moments = {
            name: f"{at.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S}" for name, at in window.items()
        }
        clickhouse = open_clickhouse()
        try:
            found = clickhouse.query(sql("streamed_bars"), parameters={**moments, "table": table})
            streamed = list(found.named_results())
        except ClickHouseError as error:
            raise QueryError(f"clickhouse: {str(error).partition(chr(10))[0]}") from None
        finally:
            clickhouse.close()
        return [
            fault for bar in streamed for fault in _differences(bar, official.get(bar["ticker"]))
        ]

    return Check(
        "stream_reconciliation",
        False,
        "Symbols of the latest session whose streamed minutes do not add up to the official bar: "
        "no minutes, an incomplete volume, prices outside its range.",
        faults,
    )


def _differences(streamed: Row, official: Row | None) -> list[Row]:
    if official is None:
        return [{"ticker": streamed["ticker"], "official": "no bar"}]
    expected = {name: float(official[name]) for name in ("high", "low", "volume")}
    wrong = {
        "high": streamed["high"] > expected["high"] * (1 + _PRICE),
        "low": streamed["low"] < expected["low"] * (1 - _PRICE),
        "volume": abs(streamed["volume"] - expected["volume"]) > _VOLUME * expected["volume"],
    }
    return [
        {
            "ticker": streamed["ticker"],
            f"streamed {name}": streamed[name],
            "official": expected[name],
        }
        for name, is_wrong in wrong.items()
        if is_wrong
    ]
