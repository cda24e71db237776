"""Answers about one symbol. Of one that it does not know the vendor says so with a 404 (details,
observed; ticker events, unverified), or has no rows (the others, unverified)."""

from datetime import date

from polygon_sandbox import replies
from polygon_sandbox.contract import Query
from polygon_sandbox.plan import Plan
from polygon_sandbox.replies import Reply
from polygon_sandbox.world import World


def details(world: World, plan: Plan, ticker: str, query: Query) -> Reply:
    """The details of a ticker that is listed today, or was on `date`."""
    asked = query.value("date", None)
    day = date.fromisoformat(asked) if asked else world.today
    refusal = plan.refusal_of_history(day, world.today)
    if refusal:
        return replies.not_authorized(refusal)
    row = world.ticker_details(ticker, day)
    return replies.not_found("Ticker not found.") if row is None else replies.ok({"results": row})


def events(world: World, _plan: Plan, ticker: str, _query: Query) -> Reply:
    """The ticker changes of the company that has the ticker now."""
    row = world.ticker_events(ticker)
    return replies.not_found("Entity not found.") if row is None else replies.ok({"results": row})


def related(world: World, _plan: Plan, ticker: str, _query: Query) -> Reply:
    """The companies like one; the key of the symbol is that of the vendor's example."""
    return replies.ok({"results": world.related_companies(ticker), "stock_symbol": ticker})


def ratings(world: World, _plan: Plan, ticker: str, _query: Query) -> Reply:
    """The analysts' consensus about one company; all dates count, whatever is asked for."""
    return replies.ok({"results": world.consensus_ratings(ticker)})
