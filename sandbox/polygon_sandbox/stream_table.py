"""What the demo asks its tables, in SQL."""

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import clickhouse_connect

from polygon_sandbox.stream_charts import Candle
from polygon_sandbox.stream_report import Mover
from polygon_sandbox.stream_rules import Key, Values
from polygon_sandbox.stream_watch import Quantiles


class Tables:
    """The tables of the sink in chDB, once the sink has let go of them.

    Everything is asked with FINAL: of what came twice the later one.
    """

    def __init__(self, directory: Path) -> None:
        self._client = clickhouse_connect.get_client(interface="chdb", path=str(directory))
        # Where the clock of this process was set for a test, that of the engine was not.
        self._rows("SELECT 1")  # the first answer takes its time
        asked, (row,) = time.time(), self._rows("SELECT toUnixTimestamp64Milli(now64(3))")
        apart = row[0] / 1000 - asked
        shift = apart if abs(apart) > 1 else 0.0
        self._waited = f"toFloat64(ingested_at) - toFloat64(received_at) - ({shift:.3f})"

    def close(self) -> None:
        """Let go of the table."""
        self._client.close()

    def values(self, kind: str) -> dict[Key, Values]:
        """What a table holds, in the form of `stream_rules.Item`."""
        return {"bars": self._bars, "trades": self._trades, "quotes": self._quotes}[kind]()

    def _bars(self) -> dict[Key, Values]:
        rows = self._rows(
            "SELECT symbol, toUnixTimestamp64Milli(window_start), open, high, low, close, volume "
            "FROM stock_aggregates FINAL"
        )
        return {(row[0], row[1]): tuple(row[2:]) for row in rows}

    def _trades(self) -> dict[Key, Values]:
        rows = self._rows("SELECT symbol, sequence_number, price, toString(size) FROM trades FINAL")
        return {(row[0], row[1]): (row[2], Decimal(row[3])) for row in rows}

    def _quotes(self) -> dict[Key, Values]:
        rows = self._rows(
            "SELECT symbol, sequence_number, bid_price, toFloat64(bid_size), ask_price, "
            "toFloat64(ask_size) FROM quotes FINAL"
        )
        return {(row[0], row[1]): tuple(row[2:]) for row in rows}

    def latency(self) -> Quantiles:
        """From receipt at the socket to the insert, of streamed bars."""
        return Quantiles(
            *self._rows(
                f"SELECT quantileExact(0.5)(waited), quantileExact(0.99)(waited) "  # noqa: S608
                f"FROM (SELECT {self._waited} AS waited FROM stock_aggregates FINAL "
                "WHERE NOT healed)"
            )[0]
        )

    def latency_by_second(self) -> dict[int, Quantiles]:
        """The same by the second since 1970 in which they were received."""
        rows = self._rows(
            "SELECT toUnixTimestamp(toDateTime(received_at)) AS second, "  # noqa: S608
            f"quantileExact(0.5)({self._waited}), quantileExact(0.99)({self._waited}) "
            "FROM stock_aggregates FINAL WHERE NOT healed GROUP BY second ORDER BY second"
        )
        return {row[0]: Quantiles(row[1], row[2]) for row in rows}

    def movers(self) -> list[Mover]:
        """The five symbols that moved most."""
        rows = self._rows(
            """
            SELECT symbol, argMin(open, window_start) AS first, argMax(close, window_start) AS last,
                   100 * (last / first - 1) AS change, sum(volume),
                   arrayMap(bar -> bar.2, arraySort(groupArray((window_start, close))))
            FROM stock_aggregates FINAL GROUP BY symbol ORDER BY abs(change) DESC LIMIT 5
            """
        )
        return [Mover(*row) for row in rows]

    def candles(self, symbol: str, seconds: int) -> list[Candle]:
        """Candles of a symbol, so many seconds long."""
        rows = self._rows(
            """
            SELECT intDiv(toUnixTimestamp(toDateTime(window_start)), {seconds:UInt32})
                       * {seconds:UInt32} AS start,
                   argMin(bar.open, window_start), max(bar.high), min(bar.low),
                   argMax(bar.close, window_start), sum(bar.volume)
            FROM stock_aggregates AS bar FINAL WHERE symbol = {symbol:String}
            GROUP BY start ORDER BY start
            """,
            {"symbol": symbol, "seconds": seconds},
        )
        return [Candle(*row) for row in rows]

    def _rows(self, query: str, parameters: dict[str, Any] | None = None) -> list[Any]:
        return list(self._client.query(query, parameters=parameters).result_rows)
