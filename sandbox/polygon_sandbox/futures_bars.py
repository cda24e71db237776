"""Bars of one futures contract: of seconds to hours, of sessions, and longer ones.

A session's bar begins at midnight UTC of the day on which the session ends (vendor example); here
it is made of the last minute of trade in New York, as in `long_bars`.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode

from polygon_sandbox import replies
from polygon_sandbox.clock import NEW_YORK, UTC
from polygon_sandbox.contract import BadRequest, Query
from polygon_sandbox.listings import Row
from polygon_sandbox.long_bars import start_of
from polygon_sandbox.plan import Plan
from polygon_sandbox.replies import Reply
from polygon_sandbox.world import World

_NS = 1_000_000_000
_SECONDS = {"sec": 1, "min": 60, "hour": 3600}
_MOST = {"sec": 59, "min": 59, "hour": 23}
_LONG = {"session": "day", "week": "week", "month": "month", "quarter": "quarter", "year": "year"}
_RESOLUTION = re.compile(r"(\d+)(sec|min|hour|session|week|month|quarter|year)")
_CONTRACT = re.compile(r"[A-Z0-9]{1,4}[FGHJKMNQUVXZ]\d{1,2}")
_LAST_MINUTE = time(15, 59)


def answer(world: World, plan: Plan, url: str, ticker: str, query: Query) -> Reply:
    """Return the bars that start in the range, what there is of the last; pages are by cursor."""
    found = _RESOLUTION.fullmatch(str(query.value("resolution", "1session")))
    if not found or not 1 <= int(found[1]) <= _MOST.get(found[2], 999):
        raise BadRequest("the resolution is not one that is supported")
    size = int(found[1]), found[2]
    first, last = _range(query, world)
    day = datetime.fromtimestamp(first / _NS, UTC).date()
    refusal = plan.refusal_of_bars("futures", min(day, world.today), world.today)
    if refusal:
        return replies.not_authorized(refusal)
    made = bars(world, ticker, size, first, last) if _CONTRACT.fullmatch(ticker) else iter(())
    if query.order == "desc":
        made = reversed(list(made))
    rows: list[Row] = []
    content: Row = {"results": rows}
    for bar in made:
        if len(rows) == query.limit:
            content["next_url"] = f"{url}?cursor={_cursor(query, bar['window_start'])}"
            break
        rows.append(bar)
    return replies.ok(content)


def _range(query: Query, world: World) -> tuple[int, int]:
    """The first and the last instant at which a bar may start, in nanoseconds."""
    first, last = 0, int(world.now.timestamp()) * _NS
    for condition in query.conditions():
        if condition.name != "window_start":
            continue
        value = int(condition.value)
        if condition.operator in ("eq", "gte", "gt"):
            first = max(first, value + (condition.operator == "gt"))
        if condition.operator in ("eq", "lte", "lt"):
            last = min(last, value - (condition.operator == "lt"))
    return first, last


def _cursor(query: Query, start: int) -> str:
    asc = query.order == "asc"
    bound = ("window_start.gte", "window_start.gt") if asc else ("window_start.lte",)
    kept = {name: text for name, text in query.text.items() if name not in ("cursor", *bound)}
    kept["window_start.gte" if asc else "window_start.lte"] = str(start)
    return urlsafe_b64encode(urlencode(sorted(kept.items())).encode()).decode().rstrip("=")


def bars(world: World, ticker: str, size: tuple[int, str], first: int, last: int) -> Iterator[Row]:
    """The bars of so many seconds, minutes, ... or sessions that start in a range, both ends in
    nanoseconds since 1970 UTC."""
    count, unit = size
    if unit in _SECONDS:
        milliseconds = -(-first // 1_000_000), last // 1_000_000
        for bar in world.intraday(ticker, count * _SECONDS[unit], *milliseconds, listed=False):
            session = datetime.fromtimestamp(bar.start, UTC).date()
            yield _row(ticker, [bar.row()], bar.start * _NS, session)
        return
    together: list[tuple[date, Row]] = []
    period: date | None = None
    for day in _sessions(world, first, last):
        minute = round(datetime.combine(day, _LAST_MINUTE, tzinfo=NEW_YORK).timestamp() * 1000)
        minutes = list(world.intraday(ticker, 60, minute, minute, listed=False))
        if not minutes:
            continue
        start = start_of(day, (count, _LONG[unit]))
        if period is not None and start != period:
            yield from _longer(ticker, together, period, first, last)
            together = []
        period = start
        together.append((day, minutes[0].row()))
    if period is not None:
        yield from _longer(ticker, together, period, first, last)


def _sessions(world: World, first: int, last: int) -> list[date]:
    start = datetime.fromtimestamp(first / _NS, UTC).date()
    end = datetime.fromtimestamp(last / _NS, UTC).date() + timedelta(days=366)
    return world.sessions("stocks", max(start, date(2003, 9, 10)), min(end, world.today))


def _longer(
    ticker: str, together: list[tuple[date, Row]], period: date, first: int, last: int
) -> Iterator[Row]:
    start = int(datetime.combine(period, time(), tzinfo=UTC).timestamp()) * _NS
    if first <= start <= last:
        yield _row(ticker, [row for _, row in together], start, together[-1][0])


def _row(ticker: str, bars: list[Row], start: int, session: date) -> Row:
    volume = sum(bar["v"] for bar in bars)
    return {
        "ticker": ticker,
        "window_start": start,
        "session_end_date": session.isoformat(),
        "open": bars[0]["o"],
        "high": max(bar["h"] for bar in bars),
        "low": min(bar["l"] for bar in bars),
        "close": bars[-1]["c"],
        "settlement_price": bars[-1]["c"],
        "transactions": sum(bar["n"] for bar in bars),
        "volume": volume,
        "dollar_volume": round(sum(bar["v"] * bar["vw"] for bar in bars), 4),
    }
