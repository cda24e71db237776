"""The market's board: one symbol closely, then the whole market, all asked of ClickHouse."""

from typing import Any

from deploy.grafana import board as boards
from deploy.grafana.board import Board, Sized
from deploy.grafana.panels import BLUE, GREEN, RED, YELLOW, Limits, candles, series, stat, table
from deploy.grafana.sources import CLICKHOUSE, over_time, sql

_UP_DOWN: Limits = ((None, RED), (0, GREEN))
_RANGE = "start >= $__fromTime AND start <= $__toTime"
_COLOURED = {
    "unit": "percent",
    "decimals": 2,
    "thresholds": {
        "mode": "absolute",
        "steps": [{"color": RED, "value": None}, {"color": GREEN, "value": 0}],
    },
    "custom.cellOptions": {"type": "color-text"},
}
_PRICE = {"decimals": 2}


def board() -> Board:
    """Return the board."""
    return boards.make(
        "market",
        "Market",
        "One symbol, and the market that it is in. Orange areas are times of which something is "
        "missing.",
        {"$symbol": _symbol(), "The market": _market()},
        _variables(),
    )


def _variables() -> list[dict[str, Any]]:
    lengths = {"1 s": "1", "10 s": "10", "1 min": "60", "5 min": "300", "1 h": "3600"}
    options = [
        {"text": text, "value": value, "selected": value == "60"} for text, value in lengths.items()
    ]
    return [
        {
            "name": "symbol",
            "label": "Symbol",
            "type": "query",
            "datasource": CLICKHOUSE,
            "query": "SELECT symbol FROM market.latest_price ORDER BY symbol LIMIT 10000",
            "refresh": 1,
        },
        {
            "name": "seconds",
            "label": "Bar",
            "type": "custom",
            "options": options,
            "query": ", ".join(f"{text} : {value}" for text, value in lengths.items()),
            "current": {"text": "1 min", "value": "60", "selected": True},
        },
    ]


def _symbol() -> list[Sized]:
    bars = (
        "FROM market.ohlc(interval = ${seconds}) "
        f"WHERE symbol = '${{symbol}}' AND event_type = 'A' AND {_RANGE}"
    )
    return [
        (
            5,
            4,
            stat(
                "Last price",
                "Of the last bar that came, whenever that was.",
                sql("SELECT price FROM market.latest_price WHERE symbol = '${symbol}'"),
                "short",
                decimals=2,
            ),
        ),
        (
            5,
            4,
            stat(
                "Change",
                "From the first price to the last one of the range shown.",
                sql(
                    f"SELECT 100 * (argMax(close, start) / argMin(open, start) - 1) AS change "
                    f"{bars} HAVING count() > 0"
                ),
                "percent",
                _UP_DOWN,
                decimals=2,
            ),
        ),
        (
            5,
            4,
            stat(
                "Volume",
                "Shares in the range shown.",
                sql(f"SELECT sum(volume) AS volume {bars}"),
                "short",
                decimals=1,
            ),
        ),
        (
            5,
            4,
            stat(
                "Spread",
                "Of the last quote, in hundredths of a per cent of its middle.",
                sql(
                    "SELECT 2e4 * (ask_price - bid_price) / (ask_price + bid_price) AS spread "
                    "FROM market.latest_quote WHERE symbol = '${symbol}'"
                ),
                "suffix: bp",
                ((None, GREEN), (10, YELLOW), (50, RED)),
                decimals=1,
                noValue="No quotes subscribed",
            ),
        ),
        (
            4,
            4,
            stat(
                "Last bar",
                "How long ago its window began. It grows while the market is closed.",
                sql(
                    "SELECT dateDiff('millisecond', window_start, now64(3, 'UTC')) / 1000 AS age "
                    "FROM market.latest_price WHERE symbol = '${symbol}'"
                ),
                "s",
                ((None, GREEN), (60, YELLOW), (600, RED)),
                decimals=0,
            ),
        ),
        (
            24,
            12,
            candles(
                "$symbol",
                "Bars made of the seconds in the table, with their volume. Where "
                "an area is marked, something may be missing.",
                sql(f"SELECT start AS time, open, high, low, close, volume {bars} ORDER BY time"),
            ),
        ),
        (
            8,
            8,
            series(
                "Price and volume-weighted average",
                "The average is that of the range so far: "
                "a price above it has been rising against what was paid.",
                [
                    over_time(
                        "SELECT time, close AS price, "  # noqa: S608 - our own SQL
                        "sum(vwap * volume) OVER w / sum(volume) OVER w AS average FROM ("
                        "SELECT start AS time, close, ifNull(vwap, close) AS vwap, volume "
                        f"{bars} AND volume > 0) WINDOW w AS (ORDER BY time) ORDER BY time"
                    )
                ],
                "short",
                axis="price",
                floating=True,
                decimals=2,
            ),
        ),
        (
            8,
            8,
            series(
                "Best bid and ask",
                "The last quote of each ten seconds.",
                [
                    over_time(
                        "SELECT toStartOfInterval(q.timestamp, INTERVAL 10 SECOND) AS time, "
                        "argMax(bid_price, q.timestamp) AS bid, "
                        "argMax(ask_price, q.timestamp) AS ask "
                        "FROM market.quotes AS q WHERE symbol = '${symbol}' "
                        "AND q.timestamp >= $__fromTime AND q.timestamp <= $__toTime "
                        "GROUP BY time ORDER BY time"
                    )
                ],
                "short",
                axis="price",
                floating=True,
                decimals=2,
                colours={"bid": GREEN, "ask": RED},
                noValue="No quotes subscribed",
            ),
        ),
        (
            8,
            8,
            series(
                "Trades",
                "Number and mean size, by ten seconds.",
                [
                    over_time(
                        "SELECT toStartOfInterval(t.timestamp, INTERVAL 10 SECOND) AS time, "
                        "count() AS trades, avg(toFloat64(size)) AS `mean size` "
                        "FROM market.trades AS t FINAL WHERE symbol = '${symbol}' "
                        "AND t.timestamp >= $__fromTime AND t.timestamp <= $__toTime "
                        "GROUP BY time ORDER BY time"
                    )
                ],
                "short",
                axis="trades, shares",
                noValue="No trades subscribed",
            ),
        ),
    ]


def _market() -> list[Sized]:
    minutes = f"FROM market.minute_bars FINAL WHERE event_type = 'A' AND {_RANGE}"
    return [
        (
            10,
            10,
            table(
                "Movers",
                "By change over the range shown, up or down. A minute is in it at "
                "most two minutes after its end.",
                sql(
                    "SELECT symbol, argMin(open, start) AS first, argMax(close, start) AS last, "
                    "round(100 * (last / first - 1), 2) AS percent, sum(volume) AS volume "
                    f"{minutes} GROUP BY symbol ORDER BY abs(percent) DESC LIMIT 20"
                ),
                {"percent": _COLOURED, "first": _PRICE, "last": _PRICE},
            ),
        ),
        (
            7,
            10,
            series(
                "Volume",
                "Of all symbols, by minute.",
                [
                    over_time(
                        f"SELECT start AS time, sum(volume) AS volume {minutes} "
                        "GROUP BY time ORDER BY time"
                    )
                ],
                "short",
                axis="shares a minute",
                bars=True,
                colours={"volume": BLUE},
            ),
        ),
        (
            7,
            10,
            series(
                "Breadth",
                "Symbols whose minute closed above and below its open.",
                [
                    over_time(
                        "SELECT start AS time, countIf(close > open) AS rising, "
                        f"countIf(close < open) AS falling {minutes} "
                        "GROUP BY time ORDER BY time"
                    )
                ],
                "short",
                axis="symbols",
                stacked=True,
                bars=True,
                colours={"rising": GREEN, "falling": RED},
            ),
        ),
        (
            8,
            9,
            table(
                "Latest price",
                "The symbols that were heard of last.",
                sql(
                    "SELECT symbol, price, day_volume, window_start FROM market.latest_price "
                    "ORDER BY window_start DESC LIMIT 50"
                ),
                {"price": _PRICE},
            ),
        ),
        (
            8,
            9,
            table(
                "Best bid and ask",
                "The last quote of the symbols that were quoted last.",
                sql(
                    "SELECT symbol, bid_price AS bid, bid_size, ask_price AS ask, ask_size, "
                    "ask - bid AS spread, timestamp FROM market.latest_quote "
                    "ORDER BY timestamp DESC LIMIT 50"
                ),
                {"bid": _PRICE, "ask": _PRICE, "spread": {"decimals": 4}},
            ),
        ),
        (
            8,
            9,
            table(
                "Trades of the last ten minutes",
                "The symbols with the most trades.",
                sql(
                    "SELECT symbol, count() AS trades, sum(size) AS volume, "
                    "max(timestamp) AS latest FROM market.trades FINAL "
                    "WHERE timestamp > now64(9, 'UTC') - INTERVAL 10 MINUTE "
                    "GROUP BY symbol ORDER BY trades DESC LIMIT 50"
                ),
            ),
        ),
    ]
