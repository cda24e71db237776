"""What the demo asks its table, in SQL."""

import time
from pathlib import Path
from typing import Any

import clickhouse_connect

from polygon_sandbox.stream_books import Key, Values


class BarTable:
    """The table of the sink in chDB, once the sink has let go of it.

    Everything is asked with FINAL: of a bar that came twice the later one.
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

    def values(self) -> dict[Key, Values]:
        """Open, high, low, close and volume by symbol and start in milliseconds since 1970."""
        rows = self._rows(
            "SELECT symbol, toUnixTimestamp64Milli(window_start), open, high, low, close, volume "
            "FROM stock_aggregates FINAL"
        )
        return {(row[0], row[1]): tuple(row[2:]) for row in rows}

    def latency(self) -> tuple[float, float]:
        """Median and 99th percentile, in seconds, from receipt at the socket to the insert."""
        return tuple(
            self._rows(
                f"SELECT quantileExact(0.5)(waited), quantileExact(0.99)(waited) "  # noqa: S608
                f"FROM (SELECT {self._waited} AS waited FROM stock_aggregates FINAL "
                "WHERE NOT healed)"
            )[0]
        )

    def latency_by_second(self) -> dict[int, tuple[float, float]]:
        """The same for each second since 1970 whose bars were streamed, and not sent again."""
        rows = self._rows(
            f"SELECT toUnixTimestamp(window_end), quantileExact(0.5)({self._waited}), "  # noqa: S608
            f"quantileExact(0.99)({self._waited}) FROM stock_aggregates FINAL WHERE NOT healed "
            "GROUP BY window_end"
        )
        return {row[0]: (row[1], row[2]) for row in rows}

    def movers(self) -> list[tuple[str, float, float, float, float]]:
        """The five symbols that moved most: first and last price, change in %, volume."""
        return self._rows(
            """
            SELECT symbol, argMin(open, window_start) AS first, argMax(close, window_start) AS last,
                   100 * (last / first - 1) AS change, sum(volume)
            FROM stock_aggregates FINAL GROUP BY symbol ORDER BY abs(change) DESC LIMIT 5
            """
        )

    def candles(self, symbol: str) -> list[tuple[Any, ...]]:
        """Start, open, high, low and close of every two seconds of a symbol."""
        return self._rows(
            """
            SELECT toStartOfInterval(window_start, INTERVAL 2 SECOND) AS t,
                   argMin(open, window_start), max(high), min(low), argMax(close, window_start)
            FROM stock_aggregates FINAL WHERE symbol = {symbol:String} GROUP BY t ORDER BY t
            """,
            {"symbol": symbol},
        )

    def _rows(self, query: str, parameters: dict[str, Any] | None = None) -> list[Any]:
        return list(self._client.query(query, parameters=parameters).result_rows)
