"""From a valid request to its honest answer, path by path."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

from polygon_sandbox import (
    aggregates,
    datasets,
    futures_bars,
    lists,
    paging,
    profiles,
    replies,
    symbols,
    tick_answers,
)
from polygon_sandbox.contract import Endpoint, Query, parse, parse_day
from polygon_sandbox.listings import Row
from polygon_sandbox.plan import Plan
from polygon_sandbox.replies import Reply
from polygon_sandbox.world import World


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that passed the gate; `path_values` are the parts of the path in braces."""

    endpoint: Endpoint
    url: str
    path_values: Mapping[str, str]
    pairs: Sequence[tuple[str, str]]
    strict: bool


Handler = Callable[[World, Plan, Ask, Query], Reply]


def answer(world: World, plan: Plan, ask: Ask) -> Reply:
    """The answer to a request; raises BadRequest for what the contract does not allow."""
    refusal = plan.refusal_of_path(ask.endpoint.path)
    if refusal:
        return replies.not_authorized(refusal)
    query = parse(ask.endpoint, ask.pairs, ask.strict)
    return _handlers()[ask.endpoint.path](world, plan, ask, query)


def served() -> Iterable[str]:
    """The paths that are answered, as the contract writes them."""
    return _handlers()


def _grouped(market: str) -> Handler:
    def handle(world: World, plan: Plan, ask: Ask, query: Query) -> Reply:
        day = parse_day(ask.path_values["date"])
        refusal = plan.refusal_of_bars(market, day, world.today)
        if refusal:
            return replies.not_authorized(refusal)
        adjusted = bool(query.value("adjusted", True))
        include_otc = bool(query.value("include_otc", False))
        count, results = world.grouped(market, day, adjusted, include_otc)
        # An empty day has no `results` at all (deduced from clients, unverified). The array is
        # spliced in as bytes: encoding it anew each time would dominate the answer.
        parts = [
            b'{"queryCount":%d,"resultsCount":%d,"adjusted":%s,'
            % (count, count, b"true" if adjusted else b"false"),
            b'"results":' + results + b"," if count else b"",
            b'"status":"%s",' % (b"DELAYED" if plan.delayed else b"OK"),
            b'"request_id":"%s"' % replies.request_id().encode(),
            b"}",
        ]
        return Reply(200, b"".join(parts))

    return handle


def _range(world: World, plan: Plan, ask: Ask, query: Query) -> Reply:
    if "cursor" in query.text:
        query = parse(ask.endpoint, aggregates.resumed(query.text), ask.strict)
    return aggregates.answer(world, plan, ask.url, ask.path_values, query)


def _ticks(of: tick_answers.Of) -> Handler:
    def handle(world: World, plan: Plan, ask: Ask, query: Query) -> Reply:
        after = None
        if "cursor" in query.text:
            pairs, after = tick_answers.resumed(query.text)
            query = parse(ask.endpoint, pairs, ask.strict)
        return tick_answers.answer(world, plan, ask.url, ask.path_values, query, of, after)

    return handle


def _futures_bars(world: World, plan: Plan, ask: Ask, query: Query) -> Reply:
    if "cursor" in query.text:
        query = parse(ask.endpoint, aggregates.resumed(query.text), ask.strict)
    return futures_bars.answer(world, plan, ask.url, ask.path_values["ticker"], query)


def _list(world: World, plan: Plan, ask: Ask, query: Query) -> Reply:
    marker = None
    path = ask.endpoint.path
    if "cursor" in query.text:
        # The cursor holds the whole query; what else the URL says is ignored (unverified).
        pairs, marker = paging.decode(query.text["cursor"])
        query = parse(ask.endpoint, pairs, ask.strict)
    text = dict(query.text)
    if path == lists.TICKERS:
        # Observed: the cursor pins the date, which is today by default.
        text.setdefault("date", world.today.isoformat())
        refusal = plan.refusal_of_history(date.fromisoformat(text["date"]), world.today)
        if refusal:
            return replies.not_authorized(refusal)
    elif path == lists.CONTRACTS:
        text.setdefault("as_of", world.today.isoformat())
        query = parse(ask.endpoint, list(text.items()), ask.strict)
    symbol = ask.path_values.get("underlyingAsset", "")
    rows, following = world.page(path, query, marker, symbol)
    content: Row = {"results": rows}
    if "count" in ask.endpoint.envelope:
        content["count"] = len(rows)
    if following is not None:
        content["next_url"] = f"{ask.url}?cursor={paging.encode(text, following)}"
    return replies.ok(content)


def _of_symbol(answer: Callable[[World, Plan, str, Query], Reply], name: str) -> Handler:
    return lambda world, plan, ask, query: answer(world, plan, ask.path_values[name], query)


def _types(world: World, _plan: Plan, _ask: Ask, query: Query) -> Reply:
    rows = world.ticker_types(query.value("asset_class", None), query.value("locale", None))
    return replies.ok({"results": rows, "count": len(rows)})


def _exchanges(world: World, _plan: Plan, _ask: Ask, query: Query) -> Reply:
    rows = world.exchanges(query.value("asset_class", None), query.value("locale", None))
    return replies.ok({"results": rows, "count": len(rows)})


# Both market status endpoints answer without an envelope (vendor spec).
def _upcoming(world: World, _plan: Plan, _ask: Ask, _query: Query) -> Reply:
    return replies.json_reply(world.holidays())


def _now(world: World, _plan: Plan, _ask: Ask, _query: Query) -> Reply:
    return replies.json_reply(world.market_status())


@cache
def _handlers() -> Mapping[str, Handler]:
    return {
        "/v2/aggs/grouped/locale/us/market/stocks/{date}": _grouped("stocks"),
        "/v2/aggs/grouped/locale/global/market/crypto/{date}": _grouped("crypto"),
        "/v2/aggs/grouped/locale/global/market/fx/{date}": _grouped("fx"),
        # One path for the tickers of every market, which the contract has five times.
        "/v2/aggs/ticker/{stocksTicker}/range/{multiplier}/{timespan}/{from}/{to}": _range,
        # Nor do these differ by market in what is asked; in what is answered they do.
        "/v3/trades/{stockTicker}": _ticks("trades"),
        "/v3/quotes/{stockTicker}": _ticks("quotes"),
        "/futures/v1/trades/{ticker}": _ticks("trades"),
        "/futures/v1/quotes/{ticker}": _ticks("quotes"),
        "/futures/v1/aggs/{ticker}": _futures_bars,
        "/v3/reference/tickers/types": _types,
        "/v3/reference/exchanges": _exchanges,
        "/v1/marketstatus/upcoming": _upcoming,
        "/v1/marketstatus/now": _now,
        lists.TICKERS: _list,
        lists.CONTRACTS: _list,
        lists.CHAIN: _list,
        profiles.DETAILS: _of_symbol(symbols.details, "ticker"),
        profiles.EVENTS: _of_symbol(symbols.events, "id"),
        profiles.RELATED: _of_symbol(symbols.related, "ticker"),
        profiles.RATINGS: _of_symbol(symbols.ratings, "ticker"),
        "/v3/reference/splits": _list,
        "/v3/reference/dividends": _list,
        **dict.fromkeys(datasets.CORPORATE_ACTIONS, _list),
        **dict.fromkeys(sorted(datasets.dataset_paths()), _list),
    }
