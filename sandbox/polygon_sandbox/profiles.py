"""What the API says about one symbol: details, ticker changes, companies like it, its ratings.

A company's row of the ticker list is part of its details; what is beside it is made up.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random

from polygon_sandbox.contract import endpoint
from polygon_sandbox.listings import STOCK_MARKETS, Listing, Row
from polygon_sandbox.made_up import RowMaker

DETAILS = "/v3/reference/tickers/{ticker}"
EVENTS = "/vX/reference/tickers/{id}/events"
RELATED = "/v1/related-companies/{ticker}"
RATINGS = "/benzinga/v1/consensus-ratings/{ticker}"

# What only the ticker list knows.
_OF_THE_LIST = {
    *("active", "cik", "composite_figi", "currency_name", "delisted_utc", "locale", "market"),
    *("name", "primary_exchange", "share_class_figi", "ticker", "type"),
}


class Profiles:
    """The profiles of one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._details = RowMaker(endpoint(DETAILS), seed)
        self._ratings = RowMaker(endpoint(RATINGS), seed)

    def details(self, listing: Listing, row: Row, close: float | None) -> Row:
        """The details of a listing, whose row is `row` on the day asked for."""
        known = {name: value for name, value in row.items() if name in _OF_THE_LIST}
        if listing.market not in STOCK_MARKETS:
            return known
        made = self._details.row(listing.listed_on, listing.ticker, listing.id)
        made = {name: value for name, value in made.items() if name not in _OF_THE_LIST}
        root, _, suffix = listing.ticker.partition(".")
        details = {**made, **known, "ticker_root": root, "list_date": listing.listed_on.isoformat()}
        details.pop("ticker_suffix", None)
        if suffix:
            details["ticker_suffix"] = suffix
        shares = details.get("weighted_shares_outstanding")
        details.pop("market_cap", None)
        if shares is not None and close is not None:
            details["market_cap"] = round(shares * close, 4)
        return details

    def events(self, listing: Listing) -> Row:
        """The symbols a company had, the newest first; every fourth had another one before."""
        dice = Random(f"{self._seed}/events/{listing.id}")
        events = [_change(listing.listed_on, listing.ticker)]
        if dice.random() < 0.25:
            before = listing.listed_on - timedelta(days=dice.randrange(100, 3000))
            events.append(_change(before, f"{listing.ticker[:2].upper()}{dice.randrange(10)}"))
        seen = ("name", "composite_figi", "cik")
        named = {name: listing.fields[name] for name in seen if name in listing.fields}
        return {**named, "events": events}

    def related(self, ticker: str, companies: Sequence[str]) -> list[Row]:
        """Up to ten companies that news mention together with one; none of some."""
        dice = Random(f"{self._seed}/related/{ticker}")
        others = sorted(set(companies) - {ticker})
        count = min(10, len(others)) if dice.random() < 0.9 else 0
        return [{"ticker": other} for other in dice.sample(others, count)]

    def ratings(self, ticker: str, day: date) -> list[Row]:
        """The analysts' consensus on a day: one row."""
        return [self._ratings.row(day, ticker, 0)]


def _change(day: date, ticker: str) -> Row:
    return {"ticker_change": {"ticker": ticker}, "type": "ticker_change", "date": day.isoformat()}
