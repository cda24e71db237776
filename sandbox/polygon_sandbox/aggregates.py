"""The answer of the aggregates endpoint: the bars of one ticker in a range of time."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from datetime import datetime, time, timedelta
from urllib.parse import parse_qsl, urlencode

from polygon_sandbox import replies
from polygon_sandbox.clock import NEW_YORK
from polygon_sandbox.contract import BadRequest, Query, parse_day
from polygon_sandbox.listings import Row
from polygon_sandbox.long_bars import is_long, long_bars
from polygon_sandbox.plan import Plan, product_of
from polygon_sandbox.replies import Reply
from polygon_sandbox.world import World

# Seconds of a bar and of the base bars that it is made of.
_SPANS = {"second": (1, 1), "minute": (60, 60), "hour": (3600, 60)}


def answer(world: World, plan: Plan, url: str, path: Mapping[str, str], query: Query) -> Reply:
    """Return the bars that start in the range; each page names the next one.

    Bars of seconds to hours that are in progress are left out, of longer ones there is what there
    is (unverified: the vendor may send both).
    """
    ticker, span = path["stocksTicker"], path["timespan"]
    if span not in _SPANS and not is_long(span):
        raise BadRequest(f"{span!r} is not a timespan")
    if not path["multiplier"].isdecimal() or int(path["multiplier"]) < 1:
        raise BadRequest("the multiplier must be a positive number")
    first_ms, last_ms = _instant(path["from"], 0), _instant(path["to"], 1)
    if first_ms > last_ms:
        raise BadRequest("'from' must not be later than 'to'")
    market = product_of(f"/{ticker}")
    first, last = (datetime.fromtimestamp(at / 1000, NEW_YORK).date() for at in (first_ms, last_ms))
    # That a range is refused for its last day as well is unverified.
    for day in (first, min(last, world.today)):
        refusal = plan.refusal_of_bars(market, day, world.today)
        if refusal:
            return replies.not_authorized(refusal)
    descending = query.order == "desc"
    adjusted = bool(query.value("adjusted", True))
    size = int(path["multiplier"]), span
    bars = _bars(world, ticker, size, (first_ms, last_ms), adjusted, descending)
    rows: list[Row] = []
    base, following = 0, None
    for row, made_of in bars:
        # The limit counts base bars. A bar is not cut in two.
        if rows and base + made_of > query.limit:
            following = row["t"]
            break
        base += made_of
        rows.append(_without_volume(row) if market == "indices" else row)
    content: Row = {
        "ticker": ticker,
        "queryCount": base,
        "resultsCount": len(rows),
        "adjusted": adjusted,
    }
    if rows:
        content["results"] = rows
    if following is not None:
        edge = ("to" if descending else "from", str(following))
        content["next_url"] = _next(url, path, edge, query.text)
    if plan.delayed:
        return replies.json_reply(
            {**content, "status": "DELAYED", "request_id": replies.request_id()}
        )
    return replies.ok(content)


def _bars(
    world: World,
    ticker: str,
    size: tuple[int, str],
    between: tuple[int, int],
    adjusted: bool,
    descending: bool,
) -> Iterator[tuple[Row, int]]:
    """Each bar, and of how many base bars it is made."""
    count, span = size
    if is_long(span):
        bars = long_bars(world, ticker, size, *between, adjusted)
        for bar in reversed(list(bars)) if descending else bars:
            yield bar.row, bar.days
        return
    each, base = _SPANS[span]
    listed = not ticker.startswith("O:")
    for short in world.intraday(ticker, count * each, *between, descending, listed=listed):
        yield short.row(), count * each // base


def _without_volume(row: Row) -> Row:
    """An index is not traded: its bars have values alone (vendor example)."""
    return {name: value for name, value in row.items() if name in "ochlt"}


def resumed(text: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the parameters of a next page, which its cursor carries."""
    cursor = text["cursor"]
    try:
        fields = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        return parse_qsl(fields, strict_parsing=bool(fields))
    except ValueError as error:
        raise BadRequest("Failed to parse the cursor") from error


def _next(url: str, path: Mapping[str, str], edge: tuple[str, str], text: Mapping[str, str]) -> str:
    """As in the spec's example: the range goes on in the path, the cursor holds the parameters."""
    parts = {**path, edge[0]: edge[1]}
    base = url.rsplit("/", 2)[0]
    kept = {name: value for name, value in text.items() if name != "cursor"}
    cursor = urlsafe_b64encode(urlencode(sorted(kept.items())).encode()).decode().rstrip("=")
    return f"{base}/{parts['from']}/{parts['to']}?cursor={cursor}"


def _instant(text: str, days_later: int) -> int:
    """Milliseconds of a stamp; of a date its first instant in New York, or its last."""
    if text.isdecimal():
        return int(text)
    midnight = datetime.combine(
        parse_day(text) + timedelta(days=days_later), time(), tzinfo=NEW_YORK
    )
    return round(midnight.timestamp() * 1000) - days_later
