"""From a valid request to its honest answer, endpoint by endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from polygon_sandbox import aggregates, paging, replies
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


def answer(world: World, plan: Plan, ask: Ask) -> Reply:
    """The answer to a request; raises BadRequest for what the contract does not allow."""
    kind, _, market = ask.endpoint.name.partition("/")
    query = parse(ask.endpoint, ask.pairs, ask.strict)
    if kind == "grouped":
        return _grouped(world, plan, market, parse_day(ask.path_values["date"]), query)
    if kind == "range":
        if "cursor" in query.text:
            query = parse(ask.endpoint, aggregates.resumed(query.text))
        return aggregates.answer(world, plan, ask.url, ask.path_values, query)
    if ask.endpoint.paged:
        return _paged(world, plan, ask, query)
    return _PLAIN[kind](world, query)


def _grouped(world: World, plan: Plan, market: str, day: date, query: Query) -> Reply:
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


def _paged(world: World, plan: Plan, ask: Ask, query: Query) -> Reply:
    marker = None
    if "cursor" in query.text:
        # The cursor holds the whole query; what else the URL says is ignored (unverified).
        pairs, marker = paging.decode(query.text["cursor"])
        query = parse(ask.endpoint, pairs)
    text = dict(query.text)
    if ask.endpoint.name == "tickers":
        # Observed: the cursor pins the date, which is today by default.
        text.setdefault("date", world.today.isoformat())
        refusal = plan.refusal_of_history(date.fromisoformat(text["date"]), world.today)
        if refusal:
            return replies.not_authorized(refusal)
    rows, following = world.page(ask.endpoint.name, query, marker)
    content: Row = {"results": rows}
    if ask.endpoint.name == "tickers":
        content["count"] = len(rows)
    if following is not None:
        content["next_url"] = f"{ask.url}?cursor={paging.encode(text, following)}"
    return replies.ok(content)


def _types(world: World, query: Query) -> Reply:
    rows = world.ticker_types(query.value("asset_class", None), query.value("locale", None))
    return replies.ok({"results": rows, "count": len(rows)})


def _exchanges(world: World, query: Query) -> Reply:
    rows = world.exchanges(query.value("asset_class", None), query.value("locale", None))
    return replies.ok({"results": rows, "count": len(rows)})


_PLAIN: dict[str, Callable[[World, Query], Reply]] = {
    "types": _types,
    "exchanges": _exchanges,
    # Both market status endpoints answer without an envelope (vendor spec).
    "upcoming": lambda world, _: replies.json_reply(world.holidays()),
    "now": lambda world, _: replies.json_reply(world.market_status()),
}
