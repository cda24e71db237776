"""The answer of the aggregates endpoint: the bars of one ticker in a range of time."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from itertools import islice
from urllib.parse import parse_qsl, urlencode

from polygon_sandbox import replies
from polygon_sandbox.clock import NEW_YORK
from polygon_sandbox.contract import BadRequest, Query, parse_day
from polygon_sandbox.listings import Row
from polygon_sandbox.plan import Plan
from polygon_sandbox.replies import Reply
from polygon_sandbox.world import World

# The vendor has hours to years as well.
_SPANS = {"second": 1, "minute": 60}
_MARKETS = {"X:": "crypto", "C:": "fx"}


def answer(world: World, plan: Plan, url: str, path: Mapping[str, str], query: Query) -> Reply:
    """Return the bars that start in the range and are over; each page names the next one.

    Bars in progress are left out (unverified: the vendor may send what there is of them).
    """
    ticker, span = path["stocksTicker"], path["timespan"]
    if span not in _SPANS:
        raise BadRequest(f"the sandbox has no bars of a {span}; use one of {', '.join(_SPANS)}")
    if not path["multiplier"].isdecimal() or not 1 <= int(path["multiplier"]) <= 1000:
        raise BadRequest("the multiplier must be a positive number")
    first_ms, last_ms = _instant(path["from"], 0), _instant(path["to"], 1)
    if first_ms > last_ms:
        raise BadRequest("'from' must not be later than 'to'")
    market = _MARKETS.get(ticker[:2], "stocks")
    day = datetime.fromtimestamp(first_ms / 1000, NEW_YORK).date()
    refusal = plan.refusal_of_bars(market, day, world.today)
    if refusal:
        return replies.not_authorized(refusal)
    multiplier = int(path["multiplier"])
    seconds = multiplier * _SPANS[span]
    descending = query.order == "desc"
    bars = world.intraday(ticker, seconds, first_ms, last_ms, descending)
    # The limit counts base bars, of which a result is made of `multiplier`.
    rows = [bar.row() for bar in islice(bars, max(1, query.limit // multiplier))]
    content: Row = {
        "ticker": ticker,
        "queryCount": len(rows) * multiplier,
        "resultsCount": len(rows),
        "adjusted": bool(query.value("adjusted", True)),
    }
    if rows:
        content["results"] = rows
    following = next(bars, None)
    if following is not None:
        edge = ("to" if descending else "from", str(following.start * 1000))
        content["next_url"] = _next(url, path, edge, query.text)
    if plan.delayed:
        return replies.json_reply(
            {**content, "status": "DELAYED", "request_id": replies.request_id()}
        )
    return replies.ok(content)


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
