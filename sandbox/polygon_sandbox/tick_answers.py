"""The answers of the trades and quotes endpoints: one ticker, in a range of time, page by page."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from polygon_sandbox import replies
from polygon_sandbox.clock import NEW_YORK
from polygon_sandbox.contract import BadRequest, Query
from polygon_sandbox.intraday import DAY_SECONDS
from polygon_sandbox.listings import Row
from polygon_sandbox.plan import Plan
from polygon_sandbox.replies import Reply
from polygon_sandbox.tick_forms import quote_row, trade_row
from polygon_sandbox.ticks import NS, Kind, Quote, Trade, kind_of
from polygon_sandbox.world import World

Of = Literal["trades", "quotes"]
Tick = Trade | Quote
# Time and sequence number of the last one on a page.
Place = tuple[int, int]

# A plan names the market of currencies as the REST API does.
_MARKETS = {"crypto": "crypto", "forex": "fx"}


def answer(
    world: World,
    plan: Plan,
    url: str,
    path: Mapping[str, str],
    query: Query,
    of: Of,
    after: Place | None,
) -> Reply:
    """Return the trades or quotes of a ticker that follow a place; each page names the next one.

    Without a lower bound the range begins a day before its end: the sandbox has trades in every
    second that ever was. Unverified: a date means its day in UTC.
    """
    ticker = next(iter(path.values()))
    kind: Kind = "futures" if "/futures/" in url else kind_of(ticker)
    if (of, kind) in (("trades", "forex"), ("quotes", "crypto")):
        return replies.ok({"results": []})
    first, last = _range(query, int(world.now.timestamp() * NS))
    for edge in (first, last):
        day = datetime.fromtimestamp(max(edge, 0) / NS, NEW_YORK).date()
        refusal = plan.refusal_of_bars(_MARKETS.get(kind, "stocks"), day, world.today)
        if refusal:
            return replies.not_authorized(refusal)
    descending = query.order == "desc"
    if after is not None:
        first, last = (first, min(last, after[0])) if descending else (max(first, after[0]), last)
    found = _between(world, ticker, kind, of, first, last, descending)
    if after is not None:
        found = _beyond(found, after)
    ticks = list(islice(found, query.limit))
    content: Row = {"results": [_row(tick, kind) for tick in ticks]}
    if ticks and next(found, None) is not None:
        content["next_url"] = f"{url}?cursor={_cursor(query.text, ticks[-1])}"
    if plan.delayed:
        return replies.json_reply(
            {**content, "status": "DELAYED", "request_id": replies.request_id()}
        )
    return replies.ok(content)


def resumed(text: Mapping[str, str]) -> tuple[list[tuple[str, str]], Place]:
    """Return the parameters of a next page, which its cursor carries, and where it goes on."""
    cursor = text["cursor"]
    try:
        fields = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        pairs = dict(parse_qsl(fields, strict_parsing=True))
        time_ns, sequence = pairs.pop("after").split(".")
        return list(pairs.items()), (int(time_ns), int(sequence))
    except (ValueError, KeyError) as error:
        raise BadRequest("Failed to parse the cursor") from error


def _cursor(text: Mapping[str, str], last: Tick) -> str:
    kept = {name: value for name, value in text.items() if name != "cursor"}
    kept["after"] = f"{last.time_ns}.{last.sequence}"
    return urlsafe_b64encode(urlencode(sorted(kept.items())).encode()).decode().rstrip("=")


def _range(query: Query, now_ns: int) -> tuple[int, int]:
    """The first and the last instant that is asked for."""
    first, last = None, now_ns - 1
    for condition in query.conditions():
        if condition.name != "timestamp":
            continue
        value: int = condition.value
        if condition.operator in ("gte", "gt"):
            first = value + (condition.operator == "gt")
        elif condition.operator in ("lte", "lt"):
            last = min(last, value - (condition.operator == "lt"))
        else:
            whole_day = not query.text["timestamp"].isdecimal()
            first = value
            last = min(last, value + (DAY_SECONDS * NS - 1 if whole_day else 0))
    return (last - DAY_SECONDS * NS if first is None else first), last


def _between(
    world: World, ticker: str, kind: Kind, of: Of, first: int, last: int, descending: bool
) -> Iterator[Tick]:
    edge = last // NS
    # A second that is not over has no trades yet.
    listed = kind not in ("options", "futures")
    for start in world.over(ticker, first // NS, edge, descending, listed=listed):
        made: Sequence[Tick] = (
            world.trading.trades(ticker, kind, start)
            if of == "trades"
            else world.trading.quotes(ticker, kind, start)
        )
        second = [t for t in made if first <= t.time_ns <= last]
        yield from reversed(second) if descending else second


def _beyond(found: Iterator[Tick], after: Place) -> Iterator[Tick]:
    for tick in found:
        if (tick.time_ns, tick.sequence) == after:
            return found
    return iter(())


def _row(tick: Tick, kind: Kind) -> Row:
    return trade_row(tick, kind) if isinstance(tick, Trade) else quote_row(tick, kind)
