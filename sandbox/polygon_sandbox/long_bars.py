"""Bars of days and longer: of stocks, crypto and fx the grouped daily ones, added up.

Options, indices and futures have no grouped bars: a day of theirs is its last minute of trade in
New York. Days begin at midnight, in New York for stocks, options and indices, in UTC for crypto and
fx (vendor examples of fx and options; of crypto unverified); weeks with Sunday (unverified).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from polygon_sandbox.clock import NEW_YORK, UTC
from polygon_sandbox.listings import Row
from polygon_sandbox.plan import product_of
from polygon_sandbox.world import World

GROUPED = ("stocks", "crypto", "fx")
_SPANS = ("day", "week", "month", "quarter", "year")
_LAST_MINUTE = time(15, 59)


@dataclass(frozen=True, slots=True)
class LongBar:
    """A bar as it is sent, and of how many days it is made."""

    row: Row
    days: int


def is_long(span: str) -> bool:
    """Whether bars of a span are made of those of days."""
    return span in _SPANS


def long_bars(
    world: World,
    ticker: str,
    size: tuple[int, str],
    first_ms: int,
    last_ms: int,
    adjusted: bool,
) -> Iterator[LongBar]:
    """The bars of so many days, weeks and so on that start in a range, what there is of the last.

    Several weeks or months are counted from the year 1 on (unverified). A bar that starts in the
    range is whole, though it may end behind it (unverified).
    """
    market = product_of(f"/{ticker}")
    zone = UTC if market in ("crypto", "fx") else NEW_YORK
    days = _days(world, market, first_ms, last_ms, size, zone)
    together: list[Row] = []
    period: date | None = None
    for day in days:
        bar = _daily(world, market, ticker, day, adjusted)
        if bar is None:
            continue
        start = start_of(day, size)
        if period is not None and start != period:
            yield _added_up(together, period, zone)
            together = []
        period = start
        together.append(bar)
    if period is not None:
        yield _added_up(together, period, zone)


def _days(
    world: World, market: str, first_ms: int, last_ms: int, size: tuple[int, str], zone: Any
) -> Iterable[date]:
    first = datetime.fromtimestamp(first_ms / 1000, zone).date()
    if _midnight_ms(start_of(first, size), zone) < first_ms:
        first = _following(first, size)
    last = datetime.fromtimestamp(last_ms / 1000, zone).date()
    today = world.now.astimezone(zone).date()
    if first > min(last, today):
        return []
    end = min(_following(last, size) - timedelta(days=1), today)
    return world.sessions(market if market in GROUPED else "stocks", first, end)


def _daily(world: World, market: str, ticker: str, day: date, adjusted: bool) -> Row | None:
    if market in GROUPED:
        return world.daily_bar(market, ticker, day, adjusted)
    minute = datetime.combine(day, _LAST_MINUTE, tzinfo=NEW_YORK)
    at = round(minute.timestamp() * 1000)
    bars = list(world.intraday(ticker, 60, at, at, listed=market == "indices"))
    return bars[0].row() if bars else None


def start_of(day: date, size: tuple[int, str]) -> date:
    """The first day of the bar that a day belongs to."""
    count, span = size
    if span in ("day", "week"):
        length = count * (7 if span == "week" else 1)
        # Day 0 of date.ordinal is a Sunday.
        return date.fromordinal(max(day.toordinal() // length * length, 1))
    months = count * {"month": 1, "quarter": 3, "year": 12}[span]
    number = (day.year * 12 + day.month - 1) // months * months
    return date(number // 12, number % 12 + 1, 1)


def _following(day: date, size: tuple[int, str]) -> date:
    """The first day of the next bar."""
    start = start_of(day, size)
    while start_of(day, size) == start:
        day += timedelta(days=1)
    return day


def _midnight_ms(day: date, zone: Any) -> int:
    return round(datetime.combine(day, time(), tzinfo=zone).timestamp() * 1000)


def _added_up(bars: list[Row], start: date, zone: Any) -> LongBar:
    volume = sum(bar["v"] for bar in bars)
    row: Row = {
        "v": volume,
        "o": bars[0]["o"],
        "c": bars[-1]["c"],
        "h": max(bar["h"] for bar in bars),
        "l": min(bar["l"] for bar in bars),
        "t": _midnight_ms(start, zone),
    }
    if all("vw" in bar and "n" in bar for bar in bars):
        row["vw"] = round(sum(bar["vw"] * bar["v"] for bar in bars) / volume, 4)
        row["n"] = sum(bar["n"] for bar in bars)
    if len(bars) == 1 and "vw" in bars[0]:
        row["vw"] = bars[0]["vw"]
    if any(bar.get("otc") for bar in bars):
        row["otc"] = True
    return LongBar(row, len(bars))
