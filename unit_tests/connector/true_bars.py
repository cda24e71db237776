"""What is true of bars, from the sandbox's world."""

from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from polygon_sandbox import World

from unit_tests.connector.syncing import Row

NOW = datetime(2026, 11, 20, 22, 30, tzinfo=timezone.utc)


SETTLED = timedelta(minutes=15)


NEW_YORK = ZoneInfo("America/New_York")


UTC = timezone.utc


def moment(day: str, zone: Any = NEW_YORK) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=zone)


def milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def short_bars(
    world: World, ticker: str, minutes: int, start: datetime, over: datetime
) -> dict[tuple[str, str, str], Row]:
    """Return what is true of bars of so many minutes that start then, and are over by `over`."""
    listed = not ticker.startswith("O:")
    last = milliseconds(over) - minutes * 60_000
    size = f"{minutes} minute" if minutes < 60 else f"{minutes // 60} hour"
    found = {}
    for bar in world.intraday(ticker, minutes * 60, milliseconds(start), last, listed=listed):
        row: Row = {
            "ticker": ticker,
            "bar_size": size,
            "otc": False,
            "timestamp": bar.start * 1000,
            "open": bar.open,
            "high": bar.high,
            "low": bar.low,
            "close": bar.close,
            "volume": bar.volume,
            "vwap": bar.vwap,
            "transactions": bar.trades,
        }
        if ticker.startswith("I:"):
            row = {k: v for k, v in row.items() if k not in ("volume", "vwap", "transactions")}
        row["window_start"] = f"{datetime.fromtimestamp(bar.start, UTC):%Y-%m-%dT%H:%M:%S}.000Z"
        found[ticker, size, row["window_start"]] = row
    return found


def day_bars(world: World, ticker: str, first: str, last: str) -> list[Row]:
    """Return what is true of the bars of a stock from one day to another."""
    days = world.sessions("stocks", date.fromisoformat(first), date.fromisoformat(last))
    bars = [(day, world.daily_bar("stocks", ticker, day)) for day in days]
    return [
        {
            "ticker": ticker,
            "bar_size": "1 day",
            "otc": False,
            "open": bar["o"],
            "high": bar["h"],
            "low": bar["l"],
            "close": bar["c"],
            "volume": bar["v"],
            "timestamp": milliseconds(moment(str(day))),
            **({"vwap": bar["vw"], "transactions": bar["n"]} if "n" in bar else {}),
        }
        for day, bar in bars
        if bar
    ]


def without_start(rows: Any) -> list[Row]:
    return [{k: v for k, v in row.items() if k != "window_start"} for row in rows]
